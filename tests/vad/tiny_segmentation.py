# SPDX-License-Identifier: Apache-2.0
"""A network of the shape of pyannote's segmentation-3.0 that hears whatever is loud, as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LOUD = 0.1  # mean of |sample| in a frame, from which on somebody is heard


def write_network(path: Path, *, classes: int = 7, log_softmax: bool = False) -> None:
    """A frame's mean |sample| over 991 samples, 270 apart; nobody's score falls with it, all others are 0.

    In steps of 0.1 above LOUD, the odds of nobody fall by e^100.
    """
    slopes = np.zeros((1, classes, 1), np.float32)
    slopes[0, 0] = -1_000.0
    offsets = np.zeros((1, classes, 1), np.float32)
    offsets[0, 0] = 1_000.0 * LOUD + np.log(classes - 1)  # at LOUD: half nobody
    constants = {"mean": np.full((1, 1, 991), 1 / 991, np.float32), "slopes": slopes, "offsets": offsets}
    nodes = [
        helper.make_node("Abs", ["samples"], ["level"]),
        helper.make_node("Conv", ["level", "mean"], ["frames"], strides=[270]),
        helper.make_node("Mul", ["frames", "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "offsets"], ["scores"]),
        helper.make_node("Transpose", ["scores"], ["logits"], perm=[0, 2, 1]),
        helper.make_node("LogSoftmax", ["logits"], ["logarithms"], axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "segmentation",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", 1, "num_samples"])],
        [helper.make_tensor_value_info("logarithms" if log_softmax else "logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
