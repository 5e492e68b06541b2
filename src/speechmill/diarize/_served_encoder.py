# SPDX-License-Identifier: Apache-2.0
"""The voice encoder as an ONNX graph, for a GPU or a server; see `_voice_encoder` for the network and its source.

On a CPU `_voice_encoder` is the faster one; both give the same vectors up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.diarize._voice_encoder import EMBEDDING, NUM_MELS, WINDOW_FRAMES
from speechmill.models.inference import Session, session
from speechmill.models.onnx_graph import node, written

Array = NDArray[np.float32]

SERVED_AS = "dvector"
MELS, VECTORS = "mels", "vectors"
_LAYERS, _HIDDEN = 3, 256
_BATCH = 64  # windows of one run, 1.6 MB
_SHORTEST = 1e-12  # a vector of zeros stays one


class ServedEncoder:
    """Embeds windows where `device` says. tensors: as for VoiceEncoder."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], device: str) -> None:
        self._session: Session = session(graph(tensors), name=SERVED_AS, device=device, bounded=True)

    def embed(self, mels: Array) -> Array:
        """Embed windows: (num_windows, 160, 40) to (num_windows, 256); see VoiceEncoder.embed."""
        parts = [self._session.run([VECTORS], {MELS: mels[i : i + _BATCH]})[0] for i in range(0, len(mels), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, EMBEDDING), np.float32)


def graph(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Write the network as ONNX. Raises KeyError where a tensor is missing."""
    constants: dict[str, NDArray[Any]] = {"direction": np.array([1]), "newest": np.array([0])}
    nodes = [node("Transpose", [MELS], ["steps0"], perm=(1, 0, 2))]
    for index in range(_LAYERS):
        names = [f"inputs{index}", f"recurrent{index}", f"bias{index}"]
        constants.update(zip(names, _layer(tensors, index), strict=True))
        made = [f"all{index}", f"last{index}"]
        nodes.append(node("LSTM", [f"steps{index}", *names], made, hidden_size=_HIDDEN))
        nodes.append(node("Squeeze", [made[0], "direction"], [f"steps{index + 1}"]))
    constants["linear"] = _float32(tensors["linear.weight"].T)
    constants["linear_bias"] = _float32(tensors["linear.bias"])
    constants["shortest"] = np.array([_SHORTEST], np.float32)
    nodes += [
        node("Squeeze", [made[1], "newest"], ["heard"]),
        node("Gemm", ["heard", "linear", "linear_bias"], ["projected"]),
        node("Relu", ["projected"], ["raw"]),
        node("ReduceL2", ["raw"], ["length"], axes=(1,), keepdims=1),
        node("Max", ["length", "shortest"], ["divisor"]),
        node("Div", ["raw", "divisor"], [VECTORS]),
    ]
    return written(nodes, constants, {MELS: ("N", WINDOW_FRAMES, NUM_MELS)}, {VECTORS: ("N", EMBEDDING)})


def _layer(tensors: Mapping[str, NDArray[Any]], index: int) -> tuple[Array, Array, Array]:
    """Weights and biases of a layer with gates in ONNX's order i, o, f, c; torch's is i, f, c, o."""
    gates = np.arange(4 * _HIDDEN).reshape(4, _HIDDEN)[[0, 3, 1, 2]].ravel()
    inputs, recurrent = (tensors[f"lstm.weight_{kind}_l{index}"][gates][None] for kind in ("ih", "hh"))
    biases = np.concatenate([tensors[f"lstm.bias_{kind}_l{index}"][gates] for kind in ("ih", "hh")])[None]
    return _float32(inputs), _float32(recurrent), _float32(biases)


def _float32(array: NDArray[Any]) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)
