from __future__ import annotations

from dataclasses import replace

from tests.analysis.graphs import graph_of, layer, record_of
from trt_core.analysis.fusion_map import COMPILER_MADE, COMPILERS_RECORD, NAME_OF_LAYER, VARIANT_MADE, map_fusion
from trt_core.analysis.traffic import saved_bytes
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.fusion import FusionMap, FusionStep, NodeState
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Provenance, RemovedNode, VariantNode

CONV_BN_RELU = graph_of(
    ("conv", "Conv", ["x", "w"], ["c"]),
    ("bn", "BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
    ("relu", "Relu", ["n"], ["r"]),
    ("conv2", "Conv", ["r", "w"], ["y"]),
    initializers=["w", "s", "b", "m", "v"],
)


def mapped(
    graph: Graph, record: EngineRecord, provenance: Provenance | None = None, variant: Graph | None = None
) -> FusionMap:
    return map_fusion(
        build_id="b-000000000000",
        stamp="a test",
        graph=graph,
        provenance=provenance or Provenance(),
        variant_graph=variant or graph,
        record=record,
        normalized_steps=(FusionStep(name="identity removal", before=5, after=4),),
    )


def states(fusion: FusionMap) -> list[NodeState]:
    return [node.state for node in fusion.nodes]


def test_nodes_that_the_record_names_are_mapped_both_ways() -> None:
    fusion = mapped(
        CONV_BN_RELU, record_of(layer(0, ["conv", "bn", "relu"], ["x"], ["t"]), layer(1, ["conv2"], ["t"], ["y"]))
    )
    assert states(fusion) == [NodeState.MAPPED] * 4
    assert [item.nodes for item in fusion.layers] == [(0, 1, 2), (3,)]
    assert [node.layers for node in fusion.nodes] == [(0,), (0,), (0,), (1,)]
    assert fusion.fused_group_count == 1
    assert fusion.steps == (FusionStep(name="identity removal", before=5, after=4),)


def test_a_node_that_only_a_layers_own_name_tells_of_says_so() -> None:
    told = layer(0, ["conv", "bn", "relu"], ["x"], ["t"])
    guessed = replace(layer(1, ["conv2"], ["t"], ["y"]), sources_inferred=True)

    fusion = mapped(CONV_BN_RELU, record_of(told, guessed))

    assert [node.by for node in fusion.nodes] == [COMPILERS_RECORD] * 3 + [NAME_OF_LAYER]
    assert states(fusion) == [NodeState.MAPPED] * 4


def test_an_epilogue_is_absorbed_where_the_kernel_name_holds_its_ops_and_data_flow_directly() -> None:
    fusion = mapped(
        CONV_BN_RELU,
        record_of(
            layer(0, ["conv"], ["x"], ["t"], name="__myl_FcMulAddRelu_myl0_0"), layer(1, ["conv2"], ["t"], ["y"])
        ),
    )
    assert states(fusion) == [NodeState.MAPPED, NodeState.ABSORBED, NodeState.ABSORBED, NodeState.MAPPED]
    assert fusion.nodes[1].layers == fusion.nodes[2].layers == (0,)
    assert fusion.nodes[1].by.startswith("epilogue: ")
    assert "Mul and Add" in fusion.nodes[1].by


def test_without_direct_data_flow_nothing_is_absorbed() -> None:
    between = record_of(
        layer(0, ["conv"], ["x"], ["t"], name="__myl_FcMulAddRelu_myl0_0"),
        layer(1, ["other"], ["t"], ["u"]),
        layer(2, ["conv2"], ["u"], ["y"]),
    )
    fusion = mapped(CONV_BN_RELU, between)
    assert [node.state for node in fusion.nodes[1:3]] == [NodeState.UNEXPLAINED] * 2
    assert [finding.rule for finding in fusion.findings] == ["unexplained-nodes"]


def test_an_op_that_computes_is_never_absorbed_between_two_layers() -> None:
    graph = graph_of(
        ("a", "Conv", ["x", "w"], ["p"]),
        ("pool", "MaxPool", ["p"], ["q"]),
        ("b", "Conv", ["q", "w"], ["y"]),
        initializers=["w"],
    )
    fusion = mapped(graph, record_of(layer(0, ["a"], ["x"], ["t"]), layer(1, ["b"], ["t"], ["y"])))
    assert fusion.nodes[1].state is NodeState.UNEXPLAINED


def test_a_concat_whose_producers_write_its_tensor_is_a_layout_change_of_theirs() -> None:
    graph = graph_of(
        ("a", "Conv", ["x", "w"], ["p"]),
        ("b", "Conv", ["x", "w"], ["q"]),
        ("cat", "Concat", ["p", "q"], ["r"]),
        ("c", "Conv", ["r", "w"], ["y"]),
        initializers=["w"],
    )
    record = record_of(
        layer(0, ["a"], ["x"], ["r.1_myl0"]), layer(1, ["b"], ["x"], ["r.1_myl0"]), layer(2, ["c"], ["r.1_myl0"], ["y"])
    )
    fate = mapped(graph, record).nodes[2]
    assert (fate.state, fate.layers) == (NodeState.ABSORBED, (0, 1))
    assert fate.by.startswith("layout change absorbed by neighbour: ")


def test_a_layout_change_that_a_kernel_of_the_compilers_own_does_is_given_to_that_kernel() -> None:
    graph = graph_of(
        ("a", "Conv", ["x", "w"], ["p"]),
        ("t", "Transpose", ["p"], ["q"]),
        ("b", "MatMul", ["q", "w"], ["y"]),
        initializers=["w"],
    )
    record = record_of(
        layer(0, ["a"], ["x"], ["i"]),
        layer(1, [], ["i"], ["j"], name="__myl_Tran_myl0_1"),
        layer(2, ["b"], ["j"], ["y"]),
    )
    fusion = mapped(graph, record)
    assert (fusion.nodes[1].state, fusion.nodes[1].layers) == (NodeState.ABSORBED, (1,))
    assert COMPILER_MADE in fusion.layers[1].kind


def test_a_layout_change_is_found_where_the_compiler_moved_its_quantization_ahead_of_it() -> None:
    graph = graph_of(
        ("a", "MatMul", ["x", "w"], ["p"]),
        ("t", "Transpose", ["p"], ["q"]),
        ("r", "Reshape", ["q", "to"], ["s"]),
        ("quantize", "QuantizeLinear", ["s", "scale"], ["u"]),
        ("dequantize", "DequantizeLinear", ["u", "scale"], ["v"]),
        ("b", "MatMul", ["v", "w"], ["y"]),
        initializers=["w", "to", "scale"],
    )
    record = record_of(
        layer(0, ["a", "quantize"], ["x"], ["i"]),
        layer(1, ["t"], ["i"], ["j"]),
        layer(2, ["dequantize", "b"], ["j"], ["y"]),
    )
    fate = mapped(graph, record).nodes[2]
    assert (fate.state, fate.layers) == (NodeState.ABSORBED, (1, 2))


def test_constants_and_shapes_of_static_tensors_are_folded_and_unread_nodes_are_dead() -> None:
    graph = graph_of(
        ("k", "Constant", [], ["one"]),
        ("s", "Shape", ["x"], ["shape"]),
        ("d", "Relu", ["x"], ["unread"]),
        ("r", "Reshape", ["x", "shape"], ["p"]),
        ("a", "Add", ["p", "one"], ["y"]),
    )
    fusion = mapped(graph, record_of(layer(0, ["r", "a"], ["x"], ["y"])))
    assert [node.by for node in fusion.nodes[:3]] == [
        "constant folding",
        "constant folding",
        "dead code: no output reads it",
    ]


def test_the_shape_of_a_dynamic_tensor_is_not_folded() -> None:
    graph = graph_of(
        ("s", "Shape", ["x"], ["shape"]),
        ("r", "Reshape", ["x", "shape"], ["y"]),
        shapes={"x": ("batch", 3)},
    )
    assert mapped(graph, record_of(layer(0, ["r"], ["x"], ["y"]))).nodes[0].state is not NodeState.FOLDED


def test_a_node_that_a_step_of_ours_removed_is_folded_into_the_layers_of_the_node_that_took_its_work() -> None:
    variant = graph_of(
        ("conv", "Conv", ["x", "w"], ["n"]),
        ("cast", "Cast", ["n"], ["h"]),
        ("relu", "Relu", ["h"], ["r"]),
        ("conv2", "Conv", ["r", "w"], ["y"]),
        initializers=["w"],
    )
    provenance = Provenance(
        nodes=(
            VariantNode(name="conv", sources=(0, 1)),
            VariantNode(name="cast", sources=(2,), inserted=True),
            VariantNode(name="relu", sources=(2,)),
            VariantNode(name="conv2", sources=(3,)),
        ),
        removed=(RemovedNode(index=1, by="batchnorm folding", into=0),),
    )
    record = record_of(
        layer(0, ["conv"], ["x"], ["t"]),
        layer(1, ["cast"], ["t"], ["u"]),
        layer(2, ["relu", "conv2"], ["u"], ["y"]),
    )
    fusion = mapped(CONV_BN_RELU, record, provenance, variant)
    assert (fusion.nodes[1].state, fusion.nodes[1].by) == (NodeState.FOLDED, "batchnorm folding")
    assert fusion.nodes[1].layers == (0,)
    assert VARIANT_MADE in fusion.layers[1].kind
    assert fusion.layers[1].nodes == ()


def test_nodes_with_one_name_are_absorbed_under_a_rule_and_a_warning_says_what_to_do() -> None:
    graph = graph_of(("n", "Relu", ["x"], ["p"]), ("n", "Sigmoid", ["p"], ["y"]))
    fusion = mapped(graph, record_of(layer(0, ["n"], ["x"], ["y"])))
    assert states(fusion) == [NodeState.ABSORBED] * 2
    assert fusion.nodes[0].by.startswith("shared name: ")
    assert fusion.findings[0].rule == "shared-node-names"


def test_synchronisation_records_are_no_layers_and_the_others_keep_their_indices() -> None:
    record = record_of(
        layer(0, ["conv", "bn", "relu"], ["x"], ["t"]),
        layer(1, [], [], [], kind="signal"),
        layer(2, ["conv2"], ["t"], ["y"]),
    )
    assert [item.index for item in mapped(CONV_BN_RELU, record).layers] == [0, 2]


def test_what_fusion_saves_is_a_write_and_a_read_of_every_tensor_inside_a_layer() -> None:
    fused = mapped(
        CONV_BN_RELU, record_of(layer(0, ["conv", "bn", "relu"], ["x"], ["t"]), layer(1, ["conv2"], ["t"], ["y"]))
    )
    tensor_bytes = 1 * 8 * 4 * 4 * 4
    assert fused.saved_bytes == 2 * 2 * tensor_bytes


def test_passes_that_collapse_the_network_into_one_block_are_no_steps() -> None:
    layers = (layer(0, ["conv", "bn", "relu", "conv2"], ["x"], ["y"]),)
    block = EngineRecord(layers=layers, passes=(("Myelin optimization", 128, 1),))
    stepwise = EngineRecord(layers=layers, passes=(("vertical fusions", 9, 4), ("slice removal", 4, 4)))
    assert len(mapped(CONV_BN_RELU, block).steps) == 1
    assert mapped(CONV_BN_RELU, stepwise).steps[1:] == (
        FusionStep(name="vertical fusions", before=9, after=4, unit="engine layers"),
    )


def test_a_tensor_whose_producer_is_split_over_kernels_saves_nothing() -> None:
    graph = graph_of(("conv", "Conv", ["x", "w"], ["a"]), ("relu", "Relu", ["a"], ["y"]), initializers=["w"])
    assert saved_bytes(graph, {0: (0,), 1: (0,)}) > 0
    assert saved_bytes(graph, {0: (0, 1), 1: (0,)}) == 0
    assert saved_bytes(graph, {0: (0, 1), 1: (1,)}) == 0


def test_layers_of_a_further_profile_neither_split_a_pattern_nor_hide_what_fusion_saves() -> None:
    graph = graph_of(
        ("norm", "LayerNormalization", ["x", "s"], ["n"]), ("relu", "Relu", ["n"], ["y"]), initializers=["s"]
    )

    def block(number: int, first: int) -> tuple[EngineLayer, ...]:
        mark = f" [profile {number}]" if number else ""
        named = replace(layer(first, [], [], ["t"]), name=f"shape{mark}_myl{number}_0")
        fused = replace(layer(first + 1, ["norm", "relu"], ["x"], ["y"]), name=f"__myl_MeanSubMul_myl{number}_1")
        return named, fused

    alone = mapped(graph, record_of(*block(0, 0)))
    both = mapped(graph, record_of(*block(0, 0), *block(1, 2)))

    assert [match.fused for match in alone.patterns] == [True]
    assert alone.saved_bytes
    assert both.patterns == alone.patterns
    assert both.saved_bytes == alone.saved_bytes
    assert both.nodes[0].layers == (1, 3)
    assert [item.rule for item in alone.findings] == []
    assert [(item.rule, "2 of its 4 layers" in item.message) for item in both.findings] == [
        ("map-of-several-profiles", True)
    ]
