from __future__ import annotations

import pytest

from tests.analysis.graphs import graph_of, layer, record_of
from trt_core.analysis.fusion_map import map_fusion
from trt_core.analysis.patterns import expected_patterns
from trt_core.domain.engine import EngineRecord
from trt_core.domain.fusion import PatternMatch
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Precision, Provenance

RESIDUAL = graph_of(
    ("main", "Conv", ["x", "w"], ["a"]),
    ("main_bn", "BatchNormalization", ["a", "s", "s", "s", "s"], ["b"]),
    ("side", "Conv", ["x", "w"], ["c"]),
    ("side_bn", "BatchNormalization", ["c", "s", "s", "s", "s"], ["d"]),
    ("sum", "Add", ["b", "d"], ["e"]),
    ("relu", "Relu", ["e"], ["y"]),
    initializers=["w", "s"],
)
ATTENTION = graph_of(
    ("qk", "MatMul", ["q", "k"], ["a"]),
    ("scale", "Div", ["a", "d"], ["b"]),
    ("mask", "Add", ["b", "m"], ["c"]),
    ("softmax", "Softmax", ["c"], ["e"]),
    ("av", "MatMul", ["e", "v"], ["y"]),
    inputs=["q", "k", "v", "m"],
    initializers=["d"],
)
LAYERNORM = graph_of(
    ("mean", "ReduceMean", ["x"], ["m"]),
    ("sub", "Sub", ["x", "m"], ["d"]),
    ("pow", "Pow", ["d", "two"], ["p"]),
    ("var", "ReduceMean", ["p"], ["v"]),
    ("eps", "Add", ["v", "e"], ["s"]),
    ("sqrt", "Sqrt", ["s"], ["r"]),
    ("div", "Div", ["d", "r"], ["n"]),
    ("gamma", "Mul", ["n", "g"], ["o"]),
    ("beta", "Add", ["o", "b"], ["y"]),
    initializers=["two", "e", "g", "b"],
)
GELU_ERF = graph_of(
    ("div", "Div", ["x", "root"], ["a"]),
    ("erf", "Erf", ["a"], ["b"]),
    ("one", "Add", ["b", "c1"], ["c"]),
    ("gate", "Mul", ["x", "c"], ["d"]),
    ("half", "Mul", ["d", "c2"], ["y"]),
    initializers=["root", "c1", "c2"],
)
GELU_TANH = graph_of(
    ("cube", "Pow", ["x", "three"], ["a"]),
    ("k", "Mul", ["a", "c0"], ["b"]),
    ("plus", "Add", ["x", "b"], ["c"]),
    ("scale", "Mul", ["c", "c1"], ["d"]),
    ("tanh", "Tanh", ["d"], ["e"]),
    ("one", "Add", ["e", "c2"], ["f"]),
    ("halved", "Mul", ["x", "c3"], ["g"]),
    ("gate", "Mul", ["g", "f"], ["y"]),
    initializers=["three", "c0", "c1", "c2", "c3"],
)
SILU = graph_of(("s", "Sigmoid", ["x"], ["a"]), ("m", "Mul", ["x", "a"], ["y"]))


def names(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    return [(item.pattern, item.nodes) for item in expected_patterns(graph)]


def matched(graph: Graph, record: EngineRecord) -> tuple[PatternMatch, ...]:
    return map_fusion(
        build_id="b", stamp="", graph=graph, provenance=Provenance(), variant_graph=graph, record=record
    ).patterns


@pytest.mark.parametrize(
    ("graph", "pattern", "nodes"),
    [
        (ATTENTION, "attention", (0, 1, 2, 3, 4)),
        (LAYERNORM, "layernorm", (0, 1, 2, 3, 4, 5, 6, 7, 8)),
        (GELU_ERF, "gelu", (0, 1, 2, 3, 4)),
        (SILU, "silu", (0, 1)),
    ],
)
def test_blocks_are_found_in_the_form_that_exporters_write(graph: Graph, pattern: str, nodes: tuple[int, ...]) -> None:
    assert names(graph) == [(pattern, nodes)]


def test_the_tanh_form_of_gelu_is_found_with_its_cube() -> None:
    [(pattern, nodes)] = names(GELU_TANH)
    assert pattern == "gelu"
    assert set(nodes) == set(range(8))


def test_a_tanh_without_a_cube_is_no_gelu() -> None:
    graph = graph_of(
        ("t", "Tanh", ["x"], ["a"]),
        ("p", "Add", ["a", "c"], ["b"]),
        ("m", "Mul", ["b", "x"], ["y"]),
        initializers=["c"],
    )
    assert names(graph) == []


def test_a_convolution_promises_batchnorm_addition_and_activation_while_nobody_else_reads() -> None:
    chain = graph_of(
        ("conv", "Conv", ["x", "w"], ["a"]),
        ("bn", "BatchNormalization", ["a", "s", "s", "s", "s"], ["b"]),
        ("relu", "Relu", ["b"], ["y"]),
        initializers=["w", "s"],
    )
    assert names(chain) == [("conv+bn+activation", (0, 1, 2))]
    read_twice = graph_of(
        ("conv", "Conv", ["x", "w"], ["a"]),
        ("relu", "Relu", ["a"], ["b"]),
        ("add", "Add", ["a", "b"], ["y"]),
        initializers=["w"],
    )
    assert names(read_twice) == []


def test_a_product_with_a_weight_promises_bias_and_activation_and_one_of_two_activations_nothing() -> None:
    graph = graph_of(
        ("mm", "MatMul", ["x", "w"], ["a"]),
        ("bias", "Add", ["a", "b"], ["c"]),
        ("relu", "Relu", ["c"], ["y"]),
        initializers=["w", "b"],
    )
    assert names(graph) == [("gemm+bias+activation", (0, 1, 2))]
    assert names(graph_of(("mm", "MatMul", ["x", "z"], ["a"]), ("r", "Relu", ["a"], ["y"]), inputs=["x", "z"])) == []


def test_the_branch_whose_kernel_has_the_addition_keeps_it_and_the_other_ends_before() -> None:
    record = record_of(
        layer(0, ["side", "side_bn"], ["x"], ["t"], name="__myl_CorrMulAdd_myl0_0"),
        layer(1, ["main", "main_bn", "sum", "relu"], ["x", "t"], ["y"], name="__myl_CorrMulAddAddRelu_myl0_1"),
    )
    assert {(item.pattern, item.fused, item.layers) for item in matched(RESIDUAL, record)} == {
        ("conv+bn+add+activation", True, (1,)),
        ("conv+bn", True, (0,)),
    }


def test_a_quantized_convolution_named_by_its_epilogue_too_is_not_fused() -> None:
    graph = graph_of(("conv", "Conv", ["x", "w"], ["a"]), ("relu", "Relu", ["a"], ["y"]), initializers=["w"])
    record = record_of(
        layer(0, ["conv"], ["x"], ["t"], kind="correlation", precision=Precision.INT8),
        layer(1, ["conv", "relu"], ["t"], ["y"], name="__myl_MulRelu_myl0_1"),
    )
    [found] = matched(graph, record)
    assert not found.fused
    assert found.reason.startswith("Spread over several layers: Conv in layer 0; Relu in layer 1.")
    assert "quantized kernel" in found.reason


def test_attention_counts_as_fused_only_in_an_mha_kernel() -> None:
    sources = ["qk", "scale", "mask", "softmax", "av"]
    plain = record_of(layer(0, sources, ["q", "k", "v", "m"], ["y"], name="__myl_FcSoftmaxFc_myl0_0"))
    fused = record_of(
        layer(0, sources, ["q", "k", "v", "m"], ["y"], kernel="_gemm_mha_v2_0x1", precision=Precision.FP16)
    )
    assert [item.fused for item in matched(ATTENTION, fused)] == [True]
    [missing] = matched(ATTENTION, plain)
    assert not missing.fused
    assert "not in FP32" in missing.reason


@pytest.mark.parametrize(("precision", "fused"), [(Precision.INT8, True), (Precision.FP16, False)])
def test_a_product_between_qdq_pairs_is_judged_by_what_its_kernel_computes_in(
    precision: Precision, fused: bool
) -> None:
    graph = graph_of(
        ("q", "QuantizeLinear", ["x", "s"], ["a"]),
        ("dq", "DequantizeLinear", ["a", "s"], ["b"]),
        ("wdq", "DequantizeLinear", ["w", "s"], ["c"]),
        ("mm", "MatMul", ["b", "c"], ["y"]),
        initializers=["w", "s"],
    )
    record = record_of(layer(0, ["q", "dq", "wdq", "mm"], ["x"], ["y"], kind="gemm", precision=precision))
    [found] = [item for item in matched(graph, record) if item.pattern == "q/dq"]
    assert (found.fused, found.nodes) == (fused, (3,))
    assert found.reason == ("" if fused else "Its kernel computes in fp16.")
