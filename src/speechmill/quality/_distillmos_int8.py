# SPDX-License-Identifier: Apache-2.0
"""DistillMOS' convolutions in 8-bit integers on onnxruntime: another form of those in `_distillmos_network`.

Weights have a scale for each channel out. What lies between layers has one for all, fixed: ranges hold all but the
outermost 1e-5 of the values of ten cuts of LibriSpeech's training speakers. The first layer sees two channels and stays
in float32. Knows nothing of the transformer behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmill.models.inference import session
from speechmill.models.onnx_graph import node, written
from speechmill.quality._distillmos_network import BINS, LEAK, Array

RANGES = (2.72, 2.05, 0.64, 0.33, 0.17, 0.11)  # of each layer's sums, on both sides of zero; what is beyond is cut off
LEVELS = 255


class Int8Convolutions:
    """tensors: of the package's checkpoint. Raises KeyError where one is missing."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._session = session(_graph(tensors), name="distillmos-int8", bounded=True)

    def run(self, spectrum: Array) -> Array:
        """(num_frames, 161, 2) -> (num_frames / 2, 4 * 256)."""
        (features,) = self._session.run(None, {"spectrum": np.ascontiguousarray(spectrum.transpose(2, 1, 0))[None]})
        made: Array = np.ascontiguousarray(features[0].transpose(2, 1, 0)).reshape(len(spectrum) // 2, -1)
        return made


def _graph(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    nodes: list[bytes] = []
    constants: dict[str, NDArray[Any]] = {}
    given, behind = "spectrum", 0.0  # the value that the next layer sees, and its scale
    for layer, reach in enumerate(RANGES):
        kernel, bias = tensors[f"cnn.cnn.{2 * layer}.weight"], tensors[f"cnn.cnn.{2 * layer}.bias"]
        seen, summed, leaked, out = (f"{part}{layer}" for part in ("seen", "summed", "leaked", "out"))
        how = {"pads": [0, 1, 0, 1], "strides": [min(layer, 1) + 1, 2 if layer == len(RANGES) - 1 else 1]}
        if layer == 0:
            constants |= {"kernel0": kernel, "bias0": bias}
            nodes.append(node("Conv", [given, "kernel0", "bias0"], [seen], **how))
        else:
            constants |= _quantized(kernel, bias, behind, layer)
            constants |= _scale(summed, -reach, reach)
            into = [given, *_names(f"out{layer - 1}"), f"kernel{layer}", f"kernel{layer}_scale", f"kernel{layer}_zero"]
            nodes.append(node("QLinearConv", [*into, *_names(summed), f"bias{layer}"], [summed], **how))
            nodes.append(node("DequantizeLinear", [summed, *_names(summed)], [seen]))
        constants |= _scale(out, -LEAK * reach, reach)
        nodes.append(node("LeakyRelu", [seen], [leaked], alpha=LEAK))
        nodes.append(node("QuantizeLinear", [leaked, *_names(out)], [out]))
        given, behind = out, float(constants[f"{out}_scale"])
    nodes.append(node("DequantizeLinear", [given, *_names(given)], ["features"]))
    shapes = {"spectrum": (1, 2, BINS, "frames")}, {"features": (1, "channels", "bins", "places")}
    return written(nodes, constants, *shapes)


def _quantized(kernel: Array, bias: Array, behind: float, layer: int) -> dict[str, NDArray[Any]]:
    scale = np.abs(kernel).max(axis=(1, 2, 3)) / 127
    return {
        f"kernel{layer}": np.round(kernel / scale[:, None, None, None]).astype(np.int8),
        f"kernel{layer}_scale": scale.astype(np.float32),
        f"kernel{layer}_zero": np.zeros(len(scale), np.int8),
        f"bias{layer}": np.round(bias / (scale * behind)).astype(np.int32),
    }


def _scale(name: str, lowest: float, highest: float) -> dict[str, NDArray[Any]]:
    step = (highest - lowest) / LEVELS
    return {f"{name}_scale": np.array(step, np.float32), f"{name}_zero": np.array(round(-lowest / step), np.uint8)}


def _names(value: str) -> list[str]:
    return [f"{value}_scale", f"{value}_zero"]
