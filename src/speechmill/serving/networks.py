# SPDX-License-Identifier: Apache-2.0
"""Which networks are served: those that the backends name, as graphs with their inputs and outputs.

A backend that can use a server has `networks(model_path)`, which returns what it opens with `models.inference.session`,
by name. A graph whose rows don't know of each other is served as it is; one that remembers (silero's LSTM) is cut in
two, so that a server can put recordings side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from speechmill.core import devices, registry
from speechmill.core.errors import Unsupported
from speechmill.models.inference import session
from speechmill.models.onnx_graph import cut

FAMILIES = ("vad", "diarize", "quality", "asr", "align")
VARIES = -1
MOST_RECORDINGS = 16  # side by side in silero's LSTM


class Tensor(Struct, frozen=True):
    """An input or output. dims: without the axis of the batch."""

    name: str
    dims: tuple[int, ...]


class Network(Struct, frozen=True):
    """A network that a server can load. `model`: the bytes that a client would run itself."""

    name: str
    model: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    by_rows: bool  # the first axis is that of a batch, and rows don't know of each other


def served(model_path: Callable[[str], Path]) -> list[Network]:
    """Return every network that a backend here can ask a server for."""
    found: dict[str, Network] = {}
    for module in _modules():
        for name, model in module.networks(model_path).items():
            found[name] = described(name, model if isinstance(model, bytes) else model.read_bytes())
    return list(found.values())


def _modules() -> list[Any]:
    every = (registry.load(family, name) for family in FAMILIES for name in registry.names(family))
    return [module for module in every if serves(module)]


def serves(module: ModuleType) -> bool:
    """Tell whether a backend can use a server."""
    return devices.TRITON in devices.kinds(module) and hasattr(module, "networks")


def described(name: str, model: bytes) -> Network:
    """Read a graph's inputs and outputs. Raises FormatError where it is no model."""
    opened: Any = session(model, name=name)
    inputs, outputs = opened.get_inputs(), opened.get_outputs()
    for one in (*inputs, *outputs):
        if one.type != "tensor(float)":
            raise Unsupported(f"network {name}: {one.name} is {one.type}; only tensor(float) is served")
    by_rows = all(one.shape and not isinstance(one.shape[0], int) for one in (*inputs, *outputs))
    return Network(name, model, _tensors(inputs, by_rows), _tensors(outputs, by_rows), by_rows)


def _tensors(values: Any, by_rows: bool) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(one.name, tuple(size if isinstance(size, int) else VARIES for size in one.shape[int(by_rows) :]))
        for one in values
    )


def halves(network: Network) -> Mapping[str, bytes]:
    """Cut silero's graph before its LSTM: `encoder.onnx` sees windows, `decoder.onnx` has a row per recording."""
    encoded = "/Transpose_output_0"
    remembered = {one.name: (1, "recordings", 128) for one in network.inputs if one.name in ("h", "c")}
    return {
        "encoder.onnx": cut(network.model, {"input": ("windows", 576)}, [encoded]),
        "decoder.onnx": cut(
            network.model,
            {encoded: ("windows", "recordings", 128), **remembered},
            [one.name for one in network.outputs],
        ),
    }
