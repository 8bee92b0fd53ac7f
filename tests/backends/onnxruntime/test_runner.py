from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests import models
from trt_core.backends.onnxruntime.runner import OrtRunner, device_text, with_outputs
from trt_core.errors import InvalidData, NotFound, UnreadableModel, UnsupportedRequest

X = np.array([[1.0, 2.0, 70000.0]], np.float32)


def save(path: Path, nodes, output: str = "y", *, opset: int = 19, dtype: int = 1, initializers=()) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, ["n", 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 3])],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("code", "dtype"),
    [
        (TensorProto.FLOAT16, np.float16),
        (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
        (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
        (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
        (TensorProto.INT64, np.int64),
        (TensorProto.BOOL, np.bool_),
    ],
)
def test_inner_tensors_are_readable_in_every_dtype(tmp_path: Path, code: int, dtype) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["low"], to=code),
        helper.make_node("Cast", ["low"], ["y"], to=TensorProto.FLOAT),
    ]
    x = np.array([[0.0, 1.0, 2.0]], np.float32)
    session = OrtRunner().load(save(tmp_path / "m.onnx", nodes), extra_outputs=["low"], optimize=False)
    (low,) = session.run({"x": x}, ["low"])
    assert low.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(low.astype(np.float32), x.astype(dtype).astype(np.float32))


def test_bfloat16_inputs_are_accepted_as_ml_dtypes(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        dtype=TensorProto.BFLOAT16,
    )
    x = np.array([[0.5, 1.0, 2.0]], ml_dtypes.bfloat16)
    (y,) = OrtRunner().load(path).run({"x": x})
    np.testing.assert_array_equal(y, [[0.5, 1.0, 2.0]])


def test_unoptimized_graphs_keep_the_rounding_between_casts(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT),
    ]
    (y,) = OrtRunner().load(save(tmp_path / "m.onnx", nodes), optimize=False).run({"x": X})
    assert np.isinf(y[0, 2])


def test_inner_tensors_of_a_model_with_external_data_are_readable_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = onnx.numpy_helper.from_array(np.full((3,), 2.0, np.float32), "w")
    nodes = [helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, initializers=[weight])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    monkeypatch.chdir("/")
    (m,) = OrtRunner().load(path, extra_outputs=["m"]).run({"x": X}, ["m"])
    np.testing.assert_array_equal(m, 2 * X)


def test_further_outputs_change_nothing_else_in_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Relu", ["a"], ["y"])])
    before, after = onnx.load(path), onnx.ModelProto.FromString(with_outputs(path, ["a"]))
    assert [value.name for value in after.graph.output] == ["y", "a"]
    del after.graph.output[1:]
    assert after == before


def test_a_file_that_is_no_model_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"this is no protobuf at all")
    for extra in ([], ["y"]):
        with pytest.raises(UnreadableModel, match=r"m\.onnx"):
            OrtRunner().load(path, extra_outputs=extra)


def test_an_op_without_a_kernel_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mystery", ["x"], ["y"], domain="nobody.knows")]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3])],
        [helper.make_tensor_value_info("y", 1, [1, 3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("nobody.knows", 1)]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    with pytest.raises((UnsupportedRequest, UnreadableModel), match="Mystery"):
        OrtRunner().load(path)


def test_a_wrong_shape_is_invalid_data_that_names_both(tmp_path: Path) -> None:
    session = OrtRunner().load(save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])]))
    with pytest.raises(InvalidData, match="wants n × 3 and got 1 × 4"):
        session.run({"x": np.zeros((1, 4), np.float32)})


def test_a_tensor_inside_a_subgraph_is_no_inner_tensor(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    with pytest.raises(NotFound, match="inside"):
        OrtRunner().load(path, extra_outputs=["inside"])


def test_the_device_says_processor_and_threads() -> None:
    assert device_text("cpu", 3).endswith("logical CPUs), 3 threads")
    assert device_text("cpu", 1).endswith(", 1 thread")
    assert device_text("cpu", 0).endswith(", default threads")


def test_unknown_devices_are_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="tpu"):
        OrtRunner("tpu")


def test_views_are_read_only(tmp_path: Path) -> None:
    (y,) = OrtRunner().load(save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])).run({"x": X})
    assert not y.flags.writeable


def test_a_model_whose_nodes_share_a_name_runs_all_the_same(tmp_path: Path) -> None:
    model = models.mlp()
    for node in model.graph.node:
        node.name = "same"
    path = models.saved(model, tmp_path / "shared.onnx")
    feeds = {"x": np.ones((2, 8), np.float32)}
    hidden, result = OrtRunner().load(path, extra_outputs=["h"], optimize=False).run(feeds, ["h", "y"])
    expected = OrtRunner().load(models.saved(models.mlp(), tmp_path / "own.onnx"), optimize=False).run(feeds)[0]
    np.testing.assert_array_equal(result, expected)
    assert hidden.shape == (2, 16)
