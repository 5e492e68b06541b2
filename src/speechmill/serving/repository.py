# SPDX-License-Identifier: Apache-2.0
"""The folder that a Triton server loads: for each network its config.pbtxt, and weights in `1/`.

Two kinds. `python`: numpy and onnxruntime in the server's Python, which puts requests of many clients together; runs
wherever Triton's python backend does. `onnxruntime`: Triton's own backend of that name, no Python. Source of the
format: https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

from msgspec import Struct

from speechmill.core.errors import ConfigError
from speechmill.core.files import TEMPORARY
from speechmill.models.triton import DIGEST, VERSION, digest_of
from speechmill.serving.networks import MOST_RECORDINGS, Network, Tensor, halves

Kind = Literal["python", "onnxruntime"]
FILE = "sha256 "  # the parameters by which model.py knows its weights


class Options(Struct, frozen=True):
    """How a server is to run the networks; no result depends on it."""

    kind: Kind = "python"
    instances: int = 1  # of each network: as many cores, or streams of a GPU, work on it
    gpu: bool = False
    max_batch: int = 64  # rows, or for silero 16 recordings, in one batch: more gains nothing, and costs memory
    queue_delay_ms: float = 2.0  # so long a request waits for company; a request takes tens of milliseconds
    max_queue: int = 64  # requests waiting; one more is refused, and its client comes back


def write(folder: Path, networks: Sequence[Network], options: Options) -> list[Path]:
    """Write a repository; returns a folder for each network. What was there of that name is replaced.

    Raises ConfigError where the folder holds anything that isn't such a repository's.
    """
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_network(folder, network, options) for network in networks]


def _check(folder: Path) -> None:
    """Refuse to write among other things: a server loads every folder that it finds."""
    others = [one for one in folder.iterdir() if not (one / "config.pbtxt").is_file()] if folder.is_dir() else []
    if others:
        raise ConfigError(f"{folder} holds {others[0].name}, which is no served network; name a new or empty folder")


def _write_network(folder: Path, network: Network, options: Options) -> Path:
    """Write one network beside its place, then put it there whole: a server may be watching."""
    files = _weights(network, options.kind)
    temporary = folder.parent / f"{TEMPORARY}{uuid.uuid4().hex[:12]}"
    try:
        versioned = temporary / VERSION
        versioned.mkdir(parents=True)
        for name, content in files.items():
            (versioned / name).write_bytes(content)
        if options.kind == "python":
            _write_code(versioned, network)
        (temporary / "config.pbtxt").write_text(config(network, options, files), encoding="utf-8")
        place = folder / network.name
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return place


def _weights(network: Network, kind: Kind) -> Mapping[str, bytes]:
    return {"model.onnx": network.model} if network.by_rows or kind == "onnxruntime" else halves(network)


def _write_code(versioned: Path, network: Network) -> None:
    code = resources.files("speechmill.serving.server")
    kind = "joined.py" if network.by_rows else "recurrent.py"
    for name, source in (("model.py", "model.py"), ("network.py", kind)):
        (versioned / name).write_bytes(code.joinpath(source).read_bytes())


def config(network: Network, options: Options, files: Mapping[str, bytes]) -> str:
    """Return a network's config.pbtxt.

    The python backend gets a recording as one row, so that rows of different lengths meet in a batch; Triton's own
    backend runs silero's graph as it is, one recording at a time.
    """
    batched = network.by_rows or options.kind == "python"
    max_batch = (options.max_batch if network.by_rows else min(options.max_batch, MOST_RECORDINGS)) if batched else 0
    lines = [
        f'name: "{network.name}"',
        'backend: "python"' if options.kind == "python" else 'platform: "onnxruntime_onnx"',
        f"max_batch_size: {max_batch}",
        *(_tensor("input", one, ragged=options.kind == "python") for one in network.inputs),
        *(_tensor("output", one, ragged=False) for one in network.outputs),
        f"instance_group {{ kind: KIND_{'GPU' if options.gpu else 'CPU'} count: {options.instances} }}",
        _parameter(DIGEST, digest_of(network.model)),
    ]
    if batched:
        lines.append(_batching(options))
    if options.kind == "python":
        lines += [_parameter(f"{FILE}{name}", hashlib.sha256(content).hexdigest()) for name, content in files.items()]
    else:
        lines += [_parameter(f"{scope}_op_thread_count", "1") for scope in ("intra", "inter")]
    return "\n".join(lines) + "\n"


def _tensor(role: str, tensor: Tensor, *, ragged: bool) -> str:
    dims = ", ".join(map(str, tensor.dims))
    ragged_batch = " allow_ragged_batch: true" if ragged else ""
    return f'{role} {{ name: "{tensor.name}" data_type: TYPE_FP32 dims: [{dims}]{ragged_batch} }}'


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def _batching(options: Options) -> str:
    policy = f"default_queue_policy {{ max_queue_size: {options.max_queue} }}"
    return f"dynamic_batching {{ max_queue_delay_microseconds: {round(options.queue_delay_ms * 1000)} {policy} }}"
