from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.analysis.graphs import graph_of
from tests.analysis.test_patterns import LAYERNORM
from trt_core.analysis.model_rules import model_findings
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph
from trt_core.onnx_graph.read import read_graph

PLAIN = graph_of(("relu", "Relu", ["x"], ["y"]))


def findings(graph: Graph, opset: int = 17, **more) -> dict[str, Finding]:
    return {finding.rule: finding for finding in model_findings(graph, opset=opset, **more)}


def of_model(*nodes: onnx.NodeProto, weights: dict[str, np.ndarray], opset: int = 17) -> dict[str, Finding]:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return findings(read_graph(model), opset, model=model)


def test_a_plain_model_has_no_findings() -> None:
    assert findings(PLAIN) == {}


@pytest.mark.parametrize(
    ("dtype", "where", "rule"),
    [
        ("int64", "inputs", "int64-inputs"),
        ("float64", "inputs", "double-inputs"),
        ("int64", "initializers", "int64-weights"),
        ("float64", "initializers", "double-weights"),
    ],
)
def test_wide_dtypes_are_found_where_they_are(dtype: str, where: str, rule: str) -> None:
    graph = graph_of(
        ("add", "Add", ["x", "w"], ["y"]),
        initializers=["w"],
        dtypes={"x" if where == "inputs" else "w": dtype},
    )
    assert set(findings(graph)) == {rule}


def test_dynamic_inputs_ask_for_a_profile_until_there_is_one() -> None:
    graph = graph_of(("relu", "Relu", ["x"], ["y"]), shapes={"x": ("batch", 3)})
    assert "x: batch × 3" in findings(graph)["dynamic-inputs-without-profile"].message
    assert findings(graph, has_profile=True) == {}


def test_layer_normalization_by_hand_is_found_below_opset_17_only() -> None:
    assert findings(LAYERNORM, 16)["layernorm-below-opset-17"].nodes == ("sqrt",)
    assert "layernorm-below-opset-17" not in findings(LAYERNORM, 17)


def test_opsets_before_13_are_old() -> None:
    assert set(findings(PLAIN, 12)) == {"old-opset"}


def test_data_dependent_shapes_and_control_flow_are_named() -> None:
    graph = graph_of(("nz", "NonZero", ["x"], ["a"]), ("loop", "Loop", ["a"], ["y"]))
    found = findings(graph)
    assert found["data-dependent-shapes"].nodes == ("nz",)
    assert found["control-flow"].nodes == ("loop",)


def test_shared_and_missing_names_are_told_apart() -> None:
    graph = graph_of(("n", "Relu", ["x"], ["a"]), ("n", "Relu", ["a"], ["b"]), ("node_of_y", "Relu", ["b"], ["y"]))
    found = findings(graph)
    assert found["shared-node-names"].nodes == ("n",)
    assert found["unnamed-nodes"].nodes == ("node_of_y",)


def test_an_identity_of_an_initializer_is_found() -> None:
    graph = graph_of(("i", "Identity", ["w"], ["v"]), ("a", "Add", ["x", "v"], ["y"]), initializers=["w"])
    assert set(findings(graph)) == {"identity-of-initializer"}


def test_qdq_on_the_output_of_a_convolution_keeps_its_epilogue_out() -> None:
    graph = graph_of(
        ("conv", "Conv", ["x", "w"], ["a"]),
        ("q", "QuantizeLinear", ["a", "s"], ["b"]),
        ("dq", "DequantizeLinear", ["b", "s"], ["c"]),
        ("relu", "Relu", ["c"], ["y"]),
        initializers=["w", "s"],
    )
    assert findings(graph)["qdq-between-convolution-and-epilogue"].nodes == ("conv",)


def quantized_residual(*, skip: str) -> Graph:
    return graph_of(
        ("q", "QuantizeLinear", ["x", "s"], ["a"]),
        ("dq", "DequantizeLinear", ["a", "s"], ["b"]),
        ("wdq", "DequantizeLinear", ["w", "s"], ["c"]),
        ("conv", "Conv", ["b", "c"], ["d"]),
        ("add", "Add", ["d", skip], ["y"]),
        initializers=["w", "s"],
    )


def test_a_skip_input_without_qdq_is_found_and_one_with_is_not() -> None:
    assert findings(quantized_residual(skip="x"))["unquantized-skip-input"].nodes == ("add",)
    assert findings(quantized_residual(skip="b")) == {}


def test_an_addition_of_two_quantized_convolutions_has_no_skip_input() -> None:
    graph = graph_of(
        ("q", "QuantizeLinear", ["x", "s"], ["a"]),
        ("dq", "DequantizeLinear", ["a", "s"], ["b"]),
        ("wdq", "DequantizeLinear", ["w", "s"], ["c"]),
        ("conv", "Conv", ["b", "c"], ["d"]),
        ("side", "Conv", ["b", "c"], ["e"]),
        ("add", "Add", ["d", "e"], ["y"]),
        initializers=["w", "s"],
    )
    assert findings(graph) == {}


def test_one_quantized_operand_is_not_enough() -> None:
    graph = graph_of(
        ("q", "QuantizeLinear", ["x", "s"], ["a"]),
        ("dq", "DequantizeLinear", ["a", "s"], ["b"]),
        ("mm", "MatMul", ["b", "w"], ["y"]),
        initializers=["w", "s"],
    )
    assert findings(graph)["half-quantized-operands"].nodes == ("mm",)


def test_int32_biases_and_zero_points_block() -> None:
    found = of_model(
        helper.make_node("DequantizeLinear", ["bias", "scale"], ["b"], "bias_dq"),
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], "dq"),
        helper.make_node("Add", ["d", "b"], ["y"], "add"),
        weights={
            "bias": np.ones(4, np.int32),
            "scale": np.array(0.1, np.float32),
            "zero": np.array(3, np.int8),
        },
    )
    assert found["int32-bias-dequantized"].severity is Severity.BLOCKER
    assert found["asymmetric-zero-point"].nodes == ("q", "dq")


def test_a_zero_point_of_zero_is_fine() -> None:
    found = of_model(
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], "dq"),
        weights={"scale": np.array(0.1, np.float32), "zero": np.array(0, np.int8)},
    )
    assert found == {}


def test_int64_values_beyond_int32_are_found() -> None:
    found = of_model(
        helper.make_node("Slice", ["x", "start", "end"], ["y"], "slice"),
        weights={"start": np.array([0, 0]), "end": np.array([1, 2**40])},
    )
    assert found["int64-values-beyond-int32"].nodes == ("slice",)


@pytest.mark.parametrize(("other", "found"), [([2, 1], True), ([2], False)])
def test_branches_of_different_rank_are_found_and_equal_ones_are_not(other: list[int], found: bool) -> None:
    def branch(name: str, shape: list[int]) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        value = numpy_helper.from_array(np.zeros(shape, np.float32))
        return helper.make_graph([helper.make_node("Constant", [], [name], value=value)], name, [], [out])

    rules = of_model(
        helper.make_node("ReduceMax", ["x"], ["m"], "max", keepdims=0),
        helper.make_node("Greater", ["m", "zero"], ["c"], "greater"),
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch("a", [2]), else_branch=branch("b", other)),
        weights={"zero": np.array(0, np.float32)},
    )
    assert ("if-branches-of-different-rank" in rules) is found
    assert "control-flow" in rules


def test_ops_outside_onnx_are_named_with_their_domain() -> None:
    node = helper.make_node("Fancy", ["x"], ["y"], "fancy", domain="my.ops")
    found = of_model(node, weights={})
    assert "my.ops::Fancy" in found["op-outside-onnx"].message


@pytest.mark.parametrize(("name", "is_long"), [("n" * 4095, False), ("n" * 4096, True), ("é" * 2048, True)])
def test_names_that_the_library_refuses_are_told_before_a_build(name: str, is_long: bool) -> None:
    by_node = findings(graph_of((name, "Relu", ["x"], ["y"])))
    by_tensor = findings(graph_of(("r", "Relu", ["x"], [name]), ("s", "Relu", [name], ["y"])))
    assert ("long-node-names" in by_node, "long-names" in by_node) == (is_long, False)
    assert ("long-node-names" in by_tensor, "long-names" in by_tensor) == (False, is_long)
    if is_long:
        assert by_node["long-node-names"].severity is Severity.NOTE  # a build shortens them
        assert by_tensor["long-names"].severity is Severity.BLOCKER
        assert by_tensor["long-names"].message.startswith("1 tensor has a name of more than 4,095 bytes")
        assert by_tensor["long-names"].nodes == ("r",)


def test_an_output_that_is_an_input_stops_the_flow() -> None:
    graph = replace(PLAIN, outputs=(*PLAIN.outputs, *PLAIN.inputs))
    assert findings(graph)["output-is-input"].severity is Severity.BLOCKER
