# SPDX-License-Identifier: Apache-2.0
"""Notes read out of an ONNX file, without what is heavy in it."""

import pytest

from speechmill.core.errors import FormatError
from speechmill.models.onnx_metadata import metadata


@pytest.fixture
def model(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("x", "y")]
    weights = onnx.numpy_helper.from_array(pytest.importorskip("numpy").zeros(100_000, "f4"), "unused")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:], [weights])
    made = helper.make_model(graph)
    helper.set_model_props(made, {"model_type": "zipformer2", "comment": "ẹ́" * 100})
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def test_every_note_is_found(model):
    assert metadata(model) == {"model_type": "zipformer2", "comment": "ẹ́" * 100}


def test_a_file_that_is_cut_short_is_no_model(model):
    model.write_bytes(model.read_bytes()[:100_000])
    with pytest.raises(FormatError, match=r"model\.onnx: .*not an ONNX file"):
        metadata(model)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"\xff" * 20])
def test_something_else_is_no_model(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="not an ONNX file"):
        metadata(path)
