from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests import models
from trt_core.errors import NotFound
from trt_core.onnx_graph.extract import extract_nodes
from trt_core.onnx_graph.load import load_model

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("digits_*/model.onnx"))


def names(values: object) -> list[str]:
    return [item.name for item in values]  # type: ignore[attr-defined]


def checked(part: onnx.ModelProto) -> onnx.ModelProto:
    onnx.checker.check_model(part, full_check=True)
    return part


def test_boundary_tensors_become_typed_inputs_and_outputs():
    part = checked(extract_nodes(models.conv_block(), [1]))

    assert names(part.graph.input) == ["c"]
    assert names(part.graph.output) == ["n"]
    shape = part.graph.input[0].type.tensor_type.shape
    assert [dim.dim_param or dim.dim_value for dim in shape.dim] == ["batch", 4, 8, 8]


def test_only_the_initializers_that_are_read_come_along():
    part = checked(extract_nodes(models.conv_block(), [0, 2]))

    assert names(part.graph.initializer) == ["w"]
    assert names(part.graph.input) == ["image", "n"]
    assert names(part.graph.output) == ["c", "y"]


def test_all_nodes_together_are_the_model_again():
    model = models.mlp()
    part = checked(extract_nodes(model, [2, 0, 1, 1]))

    assert part.graph.node == model.graph.node
    assert part.graph.input == model.graph.input
    assert part.graph.output == model.graph.output


def test_what_a_branch_reads_from_outside_becomes_an_input_or_stays_an_initializer():
    part = checked(extract_nodes(models.branching(), [1]))

    assert names(part.graph.input) == ["condition", "h"]
    assert names(part.graph.initializer) == ["w"]
    assert names(part.graph.output) == ["y"]


def test_a_tensor_that_only_a_branch_outside_reads_is_an_output():
    assert names(checked(extract_nodes(models.branching(), [0])).graph.output) == ["h"]


def test_functions_and_opsets_are_kept_where_they_are_called():
    part = checked(extract_nodes(models.calling_function(), [1]))

    assert names(part.functions) == ["Twice"]
    assert {item.domain for item in part.opset_import} == {"", "local"}
    assert not extract_nodes(models.mlp(), [0]).functions


def test_nodes_that_nobody_reads_have_outputs_all_the_same():
    model = models.mlp()
    model.graph.node.append(helper.make_node("Neg", ["h"], ["unread"]))

    assert names(checked(extract_nodes(model, [3])).graph.output) == ["unread"]


def test_an_untyped_boundary_is_taken_as_float32():
    nodes = [helper.make_node("Mystery", ["x"], ["m"], domain="d"), helper.make_node("Relu", ["m"], ["y"])]
    part = extract_nodes(models.model(nodes, [models.value("x", [1])], [models.value("y", [1])], domains=["d"]), [1])

    assert part.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT


@pytest.mark.parametrize("indices", [[], [3], [-1]])
def test_nodes_that_are_not_there_are_not_found(indices: list[int]):
    with pytest.raises(NotFound, match="nodes 0 to 2"):
        extract_nodes(models.mlp(), indices)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_a_model_cut_in_two_computes_what_the_whole_computes(path: Path):
    model = load_model(path)
    middle = len(model.graph.node) // 2
    first, second = (
        checked(extract_nodes(model, part)) for part in (range(middle), range(middle, len(model.graph.node)))
    )
    feeds = {"image": np.random.default_rng(0).standard_normal((2, 1, 16, 16), dtype=np.float32)}

    (whole,) = run(model, feeds)
    inner = dict(zip(names(first.graph.output), run(first, feeds), strict=True))
    (joined,) = run(second, {name: inner[name] for name in names(second.graph.input)})

    np.testing.assert_array_equal(whole, joined)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)
