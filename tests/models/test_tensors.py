# SPDX-License-Identifier: Apache-2.0
"""Tensors are read as PyTorch reads them, and nothing else is."""

from __future__ import annotations

import collections
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import FormatError, MissingModel
from speechmill.models.tensors import LEGACY_MAGIC, read_torch

torch = pytest.importorskip("torch")
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def save(value, path, zipped=True):
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


@FORMATS
def test_tensors_equal_those_of_torch(tmp_path, zipped):
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tree = {
        "state": collections.OrderedDict(plain=base, view=base[1:3, ::2], turned=base.T, empty=torch.zeros(0, 3)),
        "list": [torch.tensor(7), {"deep": torch.tensor([True, False])}],
        "step": 3,
        "name": "x",
    }
    arrays = read_torch(save(tree, tmp_path / "a.pt", zipped))
    assert list(arrays) == ["state.plain", "state.view", "state.turned", "state.empty", "list.0", "list.1.deep"]
    assert arrays["state.view"].tolist() == [[6, 8, 10], [12, 14, 16]]
    assert arrays["state.turned"].tolist() == base.T.tolist()
    assert arrays["state.empty"].shape == (0, 3)
    assert arrays["list.0"] == 7
    assert arrays["list.1.deep"].tolist() == [True, False]


@FORMATS
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8"])
def test_every_dtype_keeps_its_type(tmp_path, zipped, dtype):
    tensor = torch.tensor([0, 1, 100], dtype=getattr(torch, dtype))
    array = read_torch(save({"x": tensor}, tmp_path / "a.pt", zipped))["x"]
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == [0, 1, 100]


@FORMATS
def test_bfloat16_becomes_float32(tmp_path, zipped):
    tensor = torch.tensor([1.5, -2.0, 3.0e38], dtype=torch.bfloat16)
    array = read_torch(save([tensor], tmp_path / "a.pt", zipped))["0"]
    assert array.dtype == np.float32
    assert array.tolist() == tensor.float().tolist()


@FORMATS
def test_parameters_of_a_module_are_read(tmp_path, zipped):
    layer = torch.nn.Linear(3, 2)
    arrays = read_torch(save({"p": layer.weight, "state": layer.state_dict()}, tmp_path / "a.pt", zipped))
    assert arrays["p"].tolist() == arrays["state.weight"].tolist() == layer.weight.tolist()


def test_the_d_vector_model_equals_what_torch_loads():
    try:
        path = models.path("dvector") / "pretrained.pt"
    except MissingModel as error:
        pytest.skip(str(error))
    arrays = read_torch(path)
    expected = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    assert {name.removeprefix("model_state.") for name in arrays if name.startswith("model_state.")} == set(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(arrays[f"model_state.{name}"], tensor.numpy())


class Malicious:
    """Pickles into a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch /tmp/speechmill-must-not-exist",)


@FORMATS
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, zipped):
    path = save({"x": torch.zeros(1), "evil": Malicious()}, tmp_path / "a.pt", zipped)
    with pytest.raises(FormatError, match=r"a\.pt: refused: the file asks for (posix|nt)\.system"):
        read_torch(path)
    assert not os.path.exists("/tmp/speechmill-must-not-exist")


@pytest.mark.parametrize("name", ["builtins eval", "torch.nn Linear", "torch._utils _rebuild_sparse_tensor"])
def test_other_names_are_refused(tmp_path, name):
    module, attribute = name.split()
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", f"c{module}\n{attribute}\n.".encode())
    with pytest.raises(FormatError, match=f"asks for {module}.{attribute}"):
        read_torch(path)


def legacy(path, pickle_bytes, keys, storage=b""):
    head = b"".join(pickle.dumps(part, 2) for part in (LEGACY_MAGIC, 1001, {"little_endian": True}))
    path.write_bytes(head + pickle_bytes + pickle.dumps(keys, 2) + storage)
    return path


def tensor_pickle(offset, shape, stride, length=4, key="0"):
    """The pickle of one float tensor, written opcode by opcode."""

    def numbers(values):
        return b"(" + b"".join(b"I%d\n" % value for value in values) + b"t"

    storage = b"(Vstorage\nctorch\nFloatStorage\nV%s\nVcpu\nI%d\nNtQ" % (key.encode(), length)
    tail = b"I%d\n" % offset + numbers(shape) + numbers(stride)
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + tail + b"I00\nNtR."


FOUR = struct.pack("<q4f", 4, 1, 2, 3, 4)


def test_a_hand_written_tensor_is_read(tmp_path):
    path = legacy(tmp_path / "a.pt", tensor_pickle(1, (3,), (1,)), ["0"], FOUR)
    assert read_torch(path)[""].tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(2, (3,), (1,)), (0, (2, 2), (4, 1)), (-1, (1,), (1,)), (0, (1000,), (0,)), (0, (2,), (1, 1))],
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, offset, shape, stride):
    path = legacy(tmp_path / "a.pt", tensor_pickle(offset, shape, stride), ["0"], FOUR)
    with pytest.raises(FormatError, match="a tensor"):
        read_torch(path)


@pytest.mark.parametrize("keep", [4, 40, 200, -8])
@FORMATS
def test_a_truncated_file_is_refused(tmp_path, keep, zipped):
    path = save({"x": torch.arange(100)}, tmp_path / "a.pt", zipped)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"a\.pt: "):
        read_torch(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}.", pickle.dumps([1, 2]) * 3])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.pt: not a PyTorch file"):
        read_torch(tmp_path / "a.pt")
