# SPDX-License-Identifier: Apache-2.0
"""The repository: what is in it, and that Triton's own schema knows every field of config.pbtxt."""

import hashlib
import json
import subprocess

import pytest

from speechmill.core.errors import ConfigError
from speechmill.serving.repository import Options, write

# Parses with the messages that NVIDIA's client ships; an unknown field or value is an error.
SCHEMA = """
import glob, json, sys
sys.path[:0] = glob.glob(sys.argv[1] + "/lib/python3.*/site-packages/tritonclient/grpc")
import model_config_pb2
from google.protobuf import json_format, text_format
print(json.dumps([
    json_format.MessageToDict(text_format.Parse(open(path).read(), model_config_pb2.ModelConfig()))
    for path in sys.argv[2:]
]))
"""


def parsed(program, places):
    if program.environment is None:
        pytest.skip("the schema is in an environment with nvidia-pytriton and tritonclient: make setup-triton")
    paths = [place / "config.pbtxt" for place in places]
    python = program.environment / "bin" / "python3"
    command = [python, "-W", "error", "-c", SCHEMA, program.environment, *paths]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {config["name"]: config for config in json.loads(done.stdout)}


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_python_backend_gets_code_and_weights(tmp_path, networks):
    write(tmp_path, [networks["silero_vad"], networks["dvector"]], Options())
    assert files(tmp_path / "dvector") == ["1/model.onnx", "1/model.py", "1/network.py", "config.pbtxt"]
    assert files(tmp_path / "silero_vad") == [
        "1/decoder.onnx",
        "1/encoder.onnx",
        "1/model.py",
        "1/network.py",
        "config.pbtxt",
    ]


def test_tritons_schema_knows_the_python_configs(tmp_path, networks, program):
    options = Options(instances=3, max_batch=32, queue_delay_ms=1.5, max_queue=9)
    configs = parsed(program, write(tmp_path, list(networks.values()), options))
    assert configs.keys() == networks.keys() >= {"silero_vad", "dvector", "dnsmos_early"}
    silero = configs["silero_vad"]
    assert (silero["backend"], silero["maxBatchSize"]) == ("python", 16)
    assert [(one["name"], one["dims"], one["allowRaggedBatch"]) for one in silero["input"]] == [
        ("input", ["-1", "576"], True),
        ("h", ["1", "1", "128"], True),
        ("c", ["1", "1", "128"], True),
    ]
    assert silero["instanceGroup"] == [{"count": 3, "kind": "KIND_CPU"}]
    assert silero["dynamicBatching"] == {
        "maxQueueDelayMicroseconds": "1500",
        "defaultQueuePolicy": {"maxQueueSize": 9},
    }
    assert configs["dvector"]["maxBatchSize"] == 32


def test_tritons_schema_knows_the_onnxruntime_configs(tmp_path, networks, program):
    places = write(tmp_path, list(networks.values()), Options(kind="onnxruntime", gpu=True))
    assert all(files(place) == ["1/model.onnx", "config.pbtxt"] for place in places)
    configs = parsed(program, places)
    assert {config["platform"] for config in configs.values()} == {"onnxruntime_onnx"}
    assert "maxBatchSize" not in configs["silero_vad"]  # its first axis is time
    assert "dynamicBatching" not in configs["silero_vad"]
    dvector = configs["dvector"]
    assert (dvector["maxBatchSize"], dvector["instanceGroup"]) == (64, [{"count": 1, "kind": "KIND_GPU"}])
    assert dvector["output"] == [{"name": "vectors", "dataType": "TYPE_FP32", "dims": ["256"]}]


def test_a_config_says_which_weights_are_served(tmp_path, networks, program):
    (place,) = write(tmp_path, [networks["dvector"]], Options())
    parameters = parsed(program, [place])["dvector"]["parameters"]
    digest = hashlib.sha256(networks["dvector"].model).hexdigest()
    assert parameters["speechmill_sha256"] == {"stringValue": digest}
    assert parameters["sha256 model.onnx"] == {"stringValue": digest}


def test_writing_again_replaces_what_was_there(tmp_path, networks):
    write(tmp_path, [networks["dvector"]], Options())
    (tmp_path / "dvector" / "1" / "left-over").write_text("")
    write(tmp_path, [networks["dvector"]], Options(kind="onnxruntime"))
    assert files(tmp_path) == ["dvector/1/model.onnx", "dvector/config.pbtxt"]


def test_a_folder_of_other_things_is_left_alone(tmp_path, networks):
    (tmp_path / "precious").mkdir()
    with pytest.raises(ConfigError, match="holds precious, which is no served network"):
        write(tmp_path, [networks["dvector"]], Options())
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_the_command_writes_every_network(tmp_path, networks, speechmill):
    said = speechmill("serve", "export", tmp_path / "triton", "--instances", 2).stdout
    assert said.splitlines() == [str(tmp_path / "triton" / name) for name in networks]
    assert "count: 2" in (tmp_path / "triton" / "dvector" / "config.pbtxt").read_text()
