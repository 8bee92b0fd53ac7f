from __future__ import annotations

import math

import onnx
import pytest
from onnx import helper

from tests import models
from tests.fake_engines import tower
from trt_core.analysis.cuts import CutSearch, cuts_before, nodes_between
from trt_core.domain.engine_divergence import CutOutcome
from trt_core.onnx_graph.read import read_graph


def every(graph):
    return frozenset(graph.producer_of)


def test_only_the_sums_of_a_residual_tower_part_it():
    graph = read_graph(tower(3))
    assert cuts_before(graph, "y", every(graph)) == ("b0_sum", "b1_sum", "b2_sum")


def test_only_allowed_tensors_are_cuts():
    graph = read_graph(tower(3))
    assert cuts_before(graph, "y", frozenset({"b1_sum", "b1_up"})) == ("b1_sum",)


def masked():
    """tokens (batch, 4) and a mask that every block reads, as attention does."""
    nodes, here = [helper.make_node("Neg", ["mask"], ["bias"], name="bias")], "x"
    for block in range(3):
        nodes.append(helper.make_node("Mul", [here, "bias"], [f"m{block}"], name=f"mul{block}"))
        nodes.append(helper.make_node("Add", [f"m{block}", here], [f"s{block}"], name=f"add{block}"))
        here = f"s{block}"
    nodes.append(helper.make_node("Relu", [here], ["y"], name="last"))
    inputs = [models.value("mask", ["batch", 4]), models.value("x", ["batch", 4])]
    return models.model(nodes, inputs, [models.value("y", ["batch", 4])])


def test_a_mask_that_every_block_reads_does_not_hide_the_cuts():
    graph = read_graph(masked())
    assert cuts_before(graph, "y", every(graph)) == ("s0", "s1", "s2")


def test_branches_behind_another_output_are_not_looked_at():
    nodes = [
        helper.make_node("Relu", ["x"], ["trunk"], name="trunk"),
        helper.make_node("Neg", ["trunk"], ["left"], name="left"),
        helper.make_node("Relu", ["left"], ["y1"], name="first"),
        helper.make_node("Abs", ["trunk"], ["right"], name="right"),
        helper.make_node("Relu", ["right"], ["y2"], name="second"),
    ]
    outputs = [models.value("y1", [4]), models.value("y2", [4])]
    graph = read_graph(models.model(nodes, [models.value("x", [4])], outputs))
    assert cuts_before(graph, "y2", every(graph)) == ("trunk", "right")
    assert cuts_before(graph, "y1", every(graph)) == ("trunk", "left")


def test_sizes_of_a_tensor_are_no_way_around_a_cut():
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"], name="shape"),
        helper.make_node("Relu", ["x"], ["a"], name="relu"),
        helper.make_node("Neg", ["a"], ["b"], name="neg"),
        helper.make_node("Reshape", ["b", "sizes"], ["y"], name="back"),
    ]
    graph = read_graph(models.model(nodes, [models.value("x", ["n", 4])], [models.value("y", ["n", 4])]))
    assert cuts_before(graph, "y", every(graph)) == ("a", "b")


def test_a_model_whose_inputs_are_read_to_the_end_has_no_cut():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="relu"),
        helper.make_node("Add", ["a", "x"], ["y"], name="add"),
    ]
    graph = read_graph(models.model(nodes, [models.value("x", [4])], [models.value("y", [4])]))
    assert cuts_before(graph, "y", every(graph)) == ()


def test_every_cut_of_the_trained_transformer_really_parts_it():
    from tests.gpu.conftest import SAMPLES

    graph = read_graph(onnx.load(SAMPLES / "digits_transformer" / "model.onnx"))
    cuts = cuts_before(graph, "logits", every(graph))
    assert len(cuts) >= 8
    for cut in cuts:
        reached, blocked = {"image"}, cut
        for node in graph.nodes:
            if node.op_type != "Shape" and any(name in reached for name in node.inputs):
                reached.update(name for name in node.outputs if name != blocked)
        assert "logits" not in reached, cut


def test_nodes_between_two_cuts_are_those_of_the_block():
    graph = read_graph(tower(3))
    names = [graph.nodes[index].name for index in nodes_between(graph, "b0_sum", "b1_sum")]
    assert names == ["up1", "act1", "down1", "sum1"]
    first = [graph.nodes[index].name for index in nodes_between(graph, "", "b0_sum")]
    assert first == ["up0", "act0", "down0", "sum0"]


@pytest.mark.parametrize("fault", range(14))
def test_the_search_ends_at_the_neighbouring_cuts_in_logarithmically_many_builds(fault):
    search = CutSearch(cuts=tuple(f"c{at}" for at in range(13)))
    asked = 0
    while (position := search.next_position()) is not None:
        asked += 1
        search.learn(position, CutOutcome.BEFORE if position >= fault else CutOutcome.AFTER)
    assert search.low == fault - 1
    assert search.high == fault
    assert search.clean == (f"c{fault - 1}" if fault else "")
    assert search.faulty == (f"c{fault}" if fault < 13 else "")
    assert asked <= math.ceil(math.log2(14))


def test_cuts_that_give_no_answer_are_passed_over_and_never_asked_again():
    search = CutSearch(cuts=("a", "b", "c", "d", "e"))
    assert search.next_position() == 2
    search.learn(2, CutOutcome.GONE)
    assert search.next_position() == 1
    search.learn(1, CutOutcome.AFTER)
    search.learn(3, CutOutcome.NO_BUILD)
    assert search.next_position() == 4
    search.learn(4, CutOutcome.BEFORE)
    assert search.next_position() is None
    assert (search.clean, search.faulty) == ("b", "e")
