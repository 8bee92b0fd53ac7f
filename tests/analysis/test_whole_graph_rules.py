from __future__ import annotations

from tests.analysis.graphs import graph_of, layer, record_of
from trt_core.analysis.fusion_map import map_fusion
from trt_core.domain.engine import EngineRecord
from trt_core.domain.fusion import NodeFate, NodeState
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Provenance


def fates(graph: Graph, record: EngineRecord) -> dict[str, NodeFate]:
    fusion = map_fusion(
        build_id="b", stamp="", graph=graph, provenance=Provenance(), variant_graph=graph, record=record
    )
    return {node.name: node for node in fusion.nodes}


def flatten_by_shape(*, outputs: tuple[str, ...] = ("y",)) -> Graph:
    return graph_of(
        ("shape", "Shape", ["x"], ["s"]),
        ("batch", "Gather", ["s", "zero"], ["b"]),
        ("to", "Concat", ["b", "rest"], ["t"]),
        ("relu", "Relu", ["x"], ["r"]),
        ("reshape", "Reshape", ["r", "t"], ["y"]),
        outputs=outputs,
        initializers=["zero", "rest"],
        shapes={"x": ("batch", 3)},
    )


RESHAPED = record_of(layer(0, ["relu", "reshape"], ["x"], ["y"]))


def test_arithmetic_on_shapes_that_is_read_as_a_shape_is_absorbed_as_such() -> None:
    found = fates(flatten_by_shape(), RESHAPED)
    assert {found[name].state for name in ("shape", "batch", "to")} == {NodeState.ABSORBED}
    assert found["to"].by.startswith("shape arithmetic: ")


def test_a_shape_that_the_model_hands_out_is_no_shape_arithmetic() -> None:
    found = fates(flatten_by_shape(outputs=("y", "t")), RESHAPED)
    assert {found[name].state for name in ("shape", "batch", "to")} == {NodeState.UNEXPLAINED}


def test_data_that_decide_a_shape_are_no_shape_arithmetic() -> None:
    graph = graph_of(("cast", "Cast", ["z"], ["t"]), ("reshape", "Reshape", ["x", "t"], ["y"]), inputs=["x", "z"])
    assert fates(graph, record_of(layer(0, ["reshape"], ["x"], ["y"])))["cast"].state is NodeState.UNEXPLAINED


def test_a_loop_is_absorbed_where_the_engine_jumps_and_not_elsewhere() -> None:
    graph = graph_of(("relu", "Relu", ["x"], ["a"]), ("loop", "Loop", ["a"], ["b"]), ("neg", "Neg", ["b"], ["y"]))
    layers = [layer(0, ["relu"], ["x"], ["a"]), layer(1, ["inner"], ["a"], ["c"]), layer(3, ["neg"], ["c"], ["y"])]
    jump = layer(2, [], [], [], kind="cjmp")
    found = fates(graph, record_of(*layers[:2], jump, layers[2]))["loop"]
    assert (found.state, found.layers) == (NodeState.ABSORBED, (1,))
    assert fates(graph, record_of(*layers))["loop"].state is NodeState.UNEXPLAINED


def test_the_range_of_a_foreign_node_holds_the_nodes_between_its_ends() -> None:
    graph = graph_of(
        ("a", "Conv", ["x", "w"], ["p"]),
        ("b...", "Softmax", ["p"], ["q"]),
        ("c", "MatMul", ["q", "w"], ["r"]),
        ("d", "Relu", ["r"], ["y"]),
        initializers=["w"],
    )
    record = record_of(layer(0, [], ["x"], ["r"], name="{ForeignNode[a...c]}"), layer(1, ["d"], ["r"], ["y"]))
    found = fates(graph, record)
    assert {found[name].layers for name in ("a", "b...", "c")} == {(0,)}
    assert found["b..."].by.startswith("range of a foreign node: ")
    assert found["d"].state is NodeState.MAPPED
    dotted = record_of(layer(0, [], ["x"], ["q"], name="{ForeignNode[a...b...]}"), layer(1, ["c", "d"], ["q"], ["y"]))
    assert fates(graph, dotted)["b..."].layers == (0,)
