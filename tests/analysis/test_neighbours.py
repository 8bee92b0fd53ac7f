from __future__ import annotations

import time

from trt_core.analysis.neighbours import Surroundings
from trt_core.domain.graph import Graph, Node
from trt_core.domain.tensors import TensorSpec


def chain(length: int) -> Graph:
    nodes = tuple(
        Node(index=index, name=f"n{index}", op_type="Relu", inputs=(f"t{index}",), outputs=(f"t{index + 1}",))
        for index in range(length)
    )
    ends = [TensorSpec(name=name, dtype="float32", shape=(1,)) for name in ("t0", f"t{length}")]
    return Graph(nodes=nodes, inputs=(ends[0],), outputs=(ends[1],))


def test_a_node_sees_the_nearest_layers_on_both_sides_and_what_lies_nearer():
    around = Surroundings(chain(6), {1: (10,), 4: (40, 41)})
    near = around.of(chain(6).nodes[2])
    assert (near.before, near.after, near.inputs, near.outputs) == ((10,), (40, 41), (), ())
    first = around.of(chain(6).nodes[0])
    assert (first.before, first.after, first.inputs) == ((), (10,), ("t0",))


def test_other_ops_end_the_way_and_some_with_a_layer_are_walked_across():
    around = Surroundings(chain(6), {3: (30,), 5: (50,)})
    node = chain(6).nodes[1]
    assert around.of(node, over=frozenset({"Add"})).after == ()
    assert around.of(node, across=frozenset({"Relu"})).after == (30, 50)


def test_a_long_chain_that_no_layer_names_is_walked_once():
    graph = chain(20_000)
    around = Surroundings(graph, {0: (0,), 19_999: (1,)})
    began = time.process_time()
    assert all(around.of(node).before == (0,) for node in graph.nodes[1:])
    assert time.process_time() - began < 5
