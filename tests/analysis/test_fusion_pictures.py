"""What the fusion page draws."""

from __future__ import annotations

from dataclasses import replace

from trt_core.analysis.fusion_pictures import (
    MOST_LEVELS,
    OTHER_OPS,
    causes,
    colour_keys,
    layers_of_nodes,
    link_picture,
    missing_fusions,
    nodes_held,
    op_flows,
    size_unit,
)
from trt_core.domain.fusion import FusionMap, MappedLayer, NodeFate, NodeState, PatternMatch
from trt_core.domain.precision import Precision


def layer(index, precision, nodes, size=0):
    return MappedLayer(
        index=index, name=f"l{index}", kind="", kernel="", precision=precision, nodes=nodes, output_bytes=size
    )


def node(index, op, state, layers=(), by=""):
    return NodeFate(index=index, name=f"n{index}", op_type=op, state=state, layers=layers, by=by)


FUSION = FusionMap(
    build_id="b-1",
    stamp="a plan",
    layers=(layer(3, Precision.INT8, (0,), 4096), layer(5, Precision.FP16, (2,))),
    nodes=(
        node(0, "Conv", NodeState.MAPPED, (3,), "the compiler's record"),
        node(1, "BatchNormalization", NodeState.FOLDED, (3,), "batchnorm folding"),
        node(2, "Relu", NodeState.MAPPED, (5,), "the compiler's record"),
        node(3, "Relu", NodeState.ABSORBED, (5,), "epilogue: layer 5 holds it"),
        node(4, "Odd", NodeState.UNEXPLAINED),
    ),
)


def test_every_holding_is_a_line_between_the_two_rows():
    picture = link_picture(FUSION)

    assert [(link.node, link.layer) for link in picture.links] == [(0, 3), (1, 3), (2, 5), (3, 5)]
    assert picture.layers == {3: 0.25, 5: 0.75}


def test_nodes_flow_to_the_precision_of_their_layer_or_to_their_state():
    flows = {(flow.op_type, flow.end): flow.nodes for flow in op_flows(FUSION)}

    assert flows["Conv", Precision.INT8] == 1
    assert flows["BatchNormalization", NodeState.FOLDED] == 1
    assert flows["Relu", Precision.FP16] == 2
    assert flows["Odd", NodeState.UNEXPLAINED] == 1


def test_rare_ops_are_joined_however_large_the_model():
    flows = op_flows(FUSION, most_ops=1)

    assert {flow.op_type for flow in flows} == {"Relu", OTHER_OPS}
    assert sum(flow.nodes for flow in flows) == len(FUSION.nodes)


def test_a_layer_holds_what_rules_put_there_too():
    assert nodes_held(FUSION, 3) == (0, 1)


def test_a_graph_is_grouped_and_coloured_by_layer():
    assert layers_of_nodes(FUSION) == {0: 3, 1: 3, 2: 5, 3: 5}
    assert colour_keys(FUSION) == {0: "int8", 1: "int8", 2: "fp16", 3: "fp16", 4: "unexplained"}


def test_causes_are_counted_by_rule_not_by_its_details():
    found = [(cause.state, cause.by, cause.nodes) for cause in causes(FUSION)]

    assert found[0] == (NodeState.MAPPED, "the compiler's record", (0, 2))
    assert (NodeState.ABSORBED, "epilogue", (3,)) in found


def test_sizes_are_written_in_a_unit_that_reads_well():
    assert size_unit(FUSION.layers) == ("KiB", 1024)
    assert size_unit((layer(0, Precision.FP16, (), 5 << 20),)) == ("MiB", 1 << 20)


def test_several_ops_too_thin_for_a_label_become_one_band_and_a_single_one_keeps_its_name():
    def flows_of(*ops):
        fates = [node(index, op, NodeState.UNEXPLAINED) for index, op in enumerate(ops)]
        return {flow.op_type for flow in op_flows(replace(FUSION, nodes=tuple(fates), layers=()))}

    many = ["Conv"] * 120 + ["Relu"] * 60

    assert flows_of(*many, "Gemm", "MaxPool", "Reshape") == {"Conv", "Relu", OTHER_OPS}
    assert flows_of(*many, "Gemm") == {"Conv", "Relu", "Gemm"}


def expected(*layers, fused=False):
    return PatternMatch(pattern="attention", nodes=(0, 1, 2), fused=fused, layers=layers, reason="two kernels")


def spread(*patterns, layers=12):
    rows = tuple(layer(10 + number, Precision.FP16, (number,)) for number in range(layers))
    return replace(FUSION, layers=rows, patterns=patterns)


def test_a_missing_fusion_covers_its_layers_by_their_place_and_a_made_one_is_left_out():
    (found,) = missing_fusions(spread(expected(14, 12), expected(11, fused=True), expected()))

    assert (found.first, found.last, found.layers) == (3, 5, (12, 14))
    assert (found.pattern, found.reason, found.nodes) == ("attention", "two kernels", 3)


def test_missing_fusions_that_overlap_stand_on_levels_of_their_own():
    found = missing_fusions(spread(expected(10, 14), expected(12, 13), expected(15, 16), expected(14, 15)))

    assert [(item.first, item.level) for item in found] == [(1, 0), (3, 1), (5, 1), (6, 0)]


def test_there_are_never_more_levels_than_fit():
    found = missing_fusions(spread(*(expected(10, 21) for _ in range(20))))

    assert {item.level for item in found} == set(range(MOST_LEVELS))
