from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import models
from tests.backends.tensorrt import recorded
from tests.fake_engines import tower
from trt_core.analysis.tensor_groups import border_tensors, comparable_tensors, is_opaque, plan_groups
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.onnx_graph.read import read_graph


def test_neighbours_go_together_until_the_budget_is_full():
    plan = plan_groups(["a", "b", "c", "d"], {"a": 4, "b": 4, "c": 4, "d": 1}, 8)
    assert [group.tensors for group in plan.groups] == [("a", "b"), ("c", "d")]
    assert [group.size_bytes for group in plan.groups] == [8, 5]
    assert plan.left_out == ()


def test_a_tensor_over_the_budget_and_one_of_unknown_size_are_left_out_with_the_reason():
    plan = plan_groups(["a", "big", "odd", "b"], {"a": 1, "big": 9, "b": 1, "odd": None}, 8)
    assert [group.tensors for group in plan.groups] == [("a", "b")]
    assert plan.left_out == (("big", "its 9 bytes are over the budget of 8"), ("odd", "its size is not known"))


def test_what_more_groups_than_allowed_would_hold_is_left_out():
    plan = plan_groups(["a", "b", "c"], dict.fromkeys("abc", 8), 8, most=2)
    assert [group.tensors for group in plan.groups] == [("a",), ("b",)]
    assert plan.left_out == (("c", "it would take more than 2 engines"),)


def test_a_budget_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="0 bytes"):
        plan_groups(["a"], {"a": 1}, 0)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=30),
    st.integers(1, 50),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_every_tensor_is_in_one_group_or_left_out_in_order_and_inside_the_budget(sizes, budget, most):
    names = [f"t{index}" for index in range(len(sizes))]
    known = dict(zip(names, sizes, strict=True))
    plan = plan_groups(names, known, budget, most=most)
    held = [name for group in plan.groups for name in group.tensors]
    assert sorted([*held, *(name for name, _ in plan.left_out)], key=names.index) == names
    assert held == sorted(held, key=names.index)
    assert all(group.size_bytes == sum(known[name] for name in group.tensors) <= budget for group in plan.groups)
    assert most is None or len(plan.groups) <= most


def test_outputs_and_what_depends_on_constants_only_are_not_compared():
    graph = read_graph(models.model(
        [
            models.helper.make_node("Relu", ["w"], ["constant"], name="fixed"),
            models.helper.make_node("Add", ["x", "constant"], ["inner"], name="add"),
            models.helper.make_node("Shape", ["inner"], ["sizes"], name="shape"),
            models.helper.make_node("Reshape", ["inner", "sizes"], ["y"], name="back"),
        ],
        [models.value("x", ["batch", 4])],
        [models.value("y", ["batch", 4])],
        [models.tensor("w", (1, 4))],
    ))  # fmt: skip
    assert comparable_tensors(graph, graph) == ("inner",)


def test_tensors_that_the_variant_made_under_names_of_its_own_are_not_compared():
    original, built = read_graph(tower(1)), read_graph(tower(2))
    assert comparable_tensors(built, original) == ("b0_up", "b0_act", "b0_down", "b0_sum")


def test_only_what_a_layer_writes_lies_on_a_border():
    layers = (
        EngineLayer(index=0, name="up0 + act0", outputs=(EngineTensor(name="b0_act"),)),
        EngineLayer(index=1, name="wait", kind="Wait", outputs=(EngineTensor(name="b0_up"),)),
    )
    assert border_tensors(EngineRecord(layers=layers), ["b0_up", "b0_act"]) == ("b0_act",)


@pytest.mark.parametrize(("name", "count"), [("bert_fp16", 1), ("vit_fp16", 1), ("enc_fp32", 1), ("r18_fp16", 0)])
def test_transformers_that_tensorrt_8_6_recorded_are_opaque_and_resnets_are_not(name, count):
    assert sum(map(is_opaque, recorded.record(name).working_layers)) == count


def test_a_recorded_resnet_writes_every_seam_of_its_blocks_between_layers():
    seams = [f"/layer{stage}/layer{stage}.{block}/relu_1/Relu_output_0" for stage in (1, 2, 3, 4) for block in (0, 1)]
    inside = [f"/layer{stage}/layer{stage}.{block}/Add_output_0" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert border_tensors(recorded.record("r18_fp16"), [*seams, *inside]) == tuple(seams)


def test_a_foreign_node_without_a_list_of_nodes_is_opaque():
    assert is_opaque(EngineLayer(index=0, name="{ForeignNode[a...b]}", kind="Myelin"))
    assert not is_opaque(EngineLayer(index=0, name="{ForeignNode[a...b]}", kind="Myelin", source_names=("a", "b")))
    assert not is_opaque(EngineLayer(index=0, name="conv + relu"))
