# SPDX-License-Identifier: Apache-2.0
"""Parts of an ONNX graph are cut out and run."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.core.errors import FormatError
from speechmill.models.inference import session
from speechmill.models.onnx_graph import cut, node, weights, written

# y = relu(x + bias) * scale with bias (1, -2) as a float list and scale ((10, 100)) as raw bytes, made with
# onnx 1.23.2: x -> sum -> kept -> y. An int64 initializer `count` is in it too.
MODEL = bytes.fromhex(
    "08073aad010a130a01780a0462696173120373756d22034164640a110a0373756d12046b657074220452656c750a150a046b6570740a05"
    "7363616c6512017922034d756c1201672a140802100122080000803f000000c04204626961732a1708010802100142057363616c654a08"
    "000020410000c8422a0e080110073a01074205636f756e745a140a0178120f0a0d080112090a0312014e0a02080262140a0179120f0a0d"
    "080112090a0312014e0a02080242040a00100d"
)
X = np.array([[3, 1], [-5, 4]], np.float32)


def run(model: bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    return session(model).run(None, inputs)


def test_float_weights_are_read_from_lists_and_raw_bytes():
    found = weights(MODEL)
    assert {name: array.tolist() for name, array in found.items()} == {"bias": [1, -2], "scale": [[10, 100]]}


def test_the_front_of_a_graph_runs_alone():
    assert run(cut(MODEL, {"x": ("N", 2)}, ["kept"]), x=X)[0].tolist() == [[4, 0], [0, 2]]


def test_the_back_of_a_graph_runs_alone_and_keeps_only_its_weights():
    back = cut(MODEL, {"kept": ("N", 2)}, ["y"])
    assert run(back, kept=X)[0].tolist() == [[30, 100], [-50, 400]]
    assert list(weights(back)) == ["scale"]


def test_several_outputs_come_in_the_order_asked_for():
    y, kept = run(cut(MODEL, {"sum": (2, 2)}, ["y", "kept"]), sum=X)
    assert y.tolist() == [[30, 100], [0, 400]]
    assert kept.tolist() == [[3, 1], [0, 4]]


@pytest.mark.parametrize(("inputs", "output"), [({"x": (2, 2)}, "absent"), ({"kept": (2, 2)}, "sum")])
def test_what_does_not_follow_is_named(inputs, output):
    with pytest.raises(FormatError, match=r"(absent|x) not in it or not given"):
        cut(MODEL, inputs, [output])


@pytest.mark.parametrize("content", [b"", b"no model", MODEL[:-40], b"\xff" * 20, b"\x3a\xff\xff\xff\x7f"])
def test_other_bytes_are_refused(content):
    with pytest.raises(FormatError, match="ONNX"):
        weights(content)
    with pytest.raises(FormatError, match="ONNX"):
        session(content)


def test_a_graph_that_is_written_runs_and_is_valid_onnx():
    onnx = pytest.importorskip("onnx")
    nodes = [
        node("Transpose", ["x"], ["turned"], perm=(1, 0)),
        node("ReduceL2", ["turned"], ["lengths"], axes=(1,), keepdims=0),
        node("Gather", ["lengths", "second"], ["length"], axis=0),
        node("Div", ["length", "by"], ["y"]),
    ]
    constants = {"second": np.array([1]), "by": np.array([2.5], np.float32)}
    model = written(nodes, constants, {"x": ("N", 2)}, {"y": (1,)})
    assert run(model, x=np.array([[3, 6], [4, 8]], np.float32))[0].tolist() == [4.0]  # |(6, 8)| / 2.5
    assert weights(model)["by"].tolist() == [2.5]
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)


def test_numbers_with_a_fraction_and_8_bits_are_written():
    """8-bit 2 with a zero of 4 is -1 at scale 0.5, which leaks by a quarter; 6 is 1."""
    onnx = pytest.importorskip("onnx")
    constants = {"scale": np.array(0.5, np.float32), "zero": np.array(4, np.uint8)}
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["bits"]),
        node("DequantizeLinear", ["bits", "scale", "zero"], ["rounded"]),
        node("LeakyRelu", ["rounded"], ["y"], alpha=0.25),
    ]
    model = written(nodes, constants, {"x": (2,)}, {"y": (2,)})
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    (y,) = session(model).run(None, {"x": np.array([-1.1, 1.1], np.float32)})
    assert y.tolist() == [-0.25, 1.0]
