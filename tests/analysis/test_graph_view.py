from __future__ import annotations

import time

import pytest

from tests.analysis.view_graphs import Sketch, hostile, residual_chain, scoped_encoder
from trt_core.analysis.graph_groups import group_graph
from trt_core.analysis.graph_links import link, quotient
from trt_core.analysis.graph_view import collapsed_view


def every_id(grouped):
    return frozenset(group.id for group, _ in grouped.walk())


def labels(view):
    return [box.label for box in view.boxes]


def overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def is_inside(box, frame):
    x, y, width, height = frame
    slack = 0.2  # places are rounded to a tenth of a pixel
    across = x - slack <= box.x <= x + width - box.width + slack
    return across and y - slack <= box.y <= y + height - box.height + slack


def levels(grouped):
    """The children of the root and of every group."""
    yield grouped.root
    yield from (group for group, _ in grouped.walk() if group.children)


def is_acyclic(groups, links):
    edges = quotient([group.members for group in groups], links)
    left = set(range(len(groups)))
    while left:
        free = {at for at in left if not any(b == at and a in left for a, b in edges)}
        if not free:
            return False
        left -= free
    return True


def test_equal_blocks_without_names_become_one_repetition():
    grouped = group_graph(residual_chain(6), "blocks")
    view = collapsed_view(grouped)
    assert labels(view) == ["Bottleneck ×6", "x", view.boxes[-1].label]
    assert view.boxes[0].node_count == 60
    assert view.boxes[0].macs_share == pytest.approx(1.0)


def test_a_repetition_opens_into_its_blocks_and_closes_again():
    grouped = group_graph(residual_chain(6), "blocks")
    closed = collapsed_view(grouped)
    opened = collapsed_view(grouped, expanded=frozenset({closed.boxes[0].id}))
    assert labels(opened).count("Bottleneck") == 6
    assert collapsed_view(grouped) == closed


def test_scopes_become_nested_groups_in_reading_order():
    grouped = group_graph(scoped_encoder(2), "scope")
    scopes = [(group.label, len(around)) for group, around in grouped.walk() if group.kind == "scope"]
    assert scopes == [("layer0", 0), ("attention", 1), ("layer1", 0), ("attention", 1)]


def test_a_node_without_a_name_joins_the_scope_that_its_neighbours_share():
    graph = scoped_encoder(2)
    layer = next(group for group, _ in group_graph(graph, "scope").walk() if group.label == "layer0")
    assert "Softmax" in [graph.nodes[node].op_type for node in layer.members]


def test_a_scope_used_all_over_is_cut_so_that_no_level_holds_a_cycle():
    graph = scoped_encoder(3)
    grouped = group_graph(graph, "scope")
    links = link(graph)
    assert all(is_acyclic(level.children, links) for level in levels(grouped))
    assert sum(group.label == "Gelu" for group, _ in grouped.walk()) == 3


def test_engine_layers_that_would_close_a_cycle_are_cut():
    sketch = Sketch()
    first = sketch.add("Conv", "x", "w")
    middle = sketch.add("Relu", first)
    graph = sketch.graph([sketch.add("Add", first, middle)])
    grouped = group_graph(graph, "engine", layer_of={0: 7, 1: 8, 2: 7})
    assert is_acyclic(grouped.root.children, link(graph))
    assert sorted(node for child in grouped.root.children for node in child.members) == [0, 1, 2]


def test_engine_layers_carry_their_names_and_nodes_without_a_layer_stand_alone():
    grouped = group_graph(residual_chain(1), "engine", layer_of={0: 3, 1: 3, 2: 3}, layer_names={3: "conv_bn_relu"})
    assert grouped.root.children[0].label == "conv_bn_relu"
    assert [child.kind for child in grouped.root.children[1:]] == ["node"] * 7


def test_grouping_by_engine_asks_for_the_layers():
    with pytest.raises(ValueError, match="layer_of"):
        group_graph(residual_chain(1), "engine")


@pytest.mark.parametrize("grouping", ["scope", "blocks"])
@pytest.mark.parametrize(
    "graph", [residual_chain(40), scoped_encoder(5), hostile()], ids=["chain", "scopes", "hostile"]
)
def test_every_node_is_in_exactly_one_box_whatever_is_open(graph, grouping):
    grouped = group_graph(graph, grouping)
    for expanded in (frozenset(), grouped.first_expansion(), every_id(grouped)):
        boxes = collapsed_view(grouped, expanded=expanded).boxes
        held = sorted(node for box in boxes if not box.is_expanded for node in box.members)
        assert held == list(range(len(graph.nodes)))


@pytest.mark.parametrize("graph", [residual_chain(40), scoped_encoder(5)], ids=["chain", "scopes"])
def test_boxes_never_overlap_and_stay_inside_their_group_and_the_picture(graph):
    grouped = group_graph(graph, "scope")
    view = collapsed_view(grouped, expanded=every_id(grouped))
    by_id = {box.id: box for box in view.boxes}
    for at, box in enumerate(view.boxes):
        assert is_inside(box, (0, 0, view.width, view.height))
        if box.parent:
            around = by_id[box.parent]
            assert is_inside(box, (around.x, around.y, around.width, around.height))
        assert not any(overlap(box, other) for other in view.boxes[at + 1 :] if other.parent == box.parent)


def test_ids_are_unique_and_made_of_numbers_only():
    grouped = group_graph(hostile(), "scope")
    boxes = collapsed_view(grouped, expanded=every_id(grouped)).boxes
    assert len({box.id for box in boxes}) == len(boxes)
    assert all(box.id.replace(":", "").isascii() and box.id.replace(":", "").isalnum() for box in boxes)


def test_hostile_names_are_cut_and_lose_control_and_direction_characters():
    grouped = group_graph(hostile(), "scope")
    texts = [
        text
        for box in collapsed_view(grouped, expanded=every_id(grouped)).boxes
        for text in (box.label, box.detail, box.short)
    ]
    assert max(map(len, texts)) <= 160
    assert not any(character in text for text in texts for character in "\x00\x07\u202e\u202c")


def test_a_long_chain_wraps_into_columns_instead_of_a_hairline():
    sketch, last = Sketch(), "x"
    for step in range(24):
        last = sketch.add(("Conv", "Relu", "MaxPool", "Sqrt")[step % 4], last)
    grouped = group_graph(sketch.graph([last]), "blocks")
    view = collapsed_view(grouped, expanded=every_id(grouped))
    assert 0.8 < view.width / view.height < 5


def test_five_thousand_nodes_show_few_boxes_at_first():
    grouped = group_graph(residual_chain(500), "scope")
    assert len(collapsed_view(grouped).boxes) <= 10
    assert len(collapsed_view(grouped, expanded=grouped.first_expansion()).boxes) <= 60


@pytest.mark.serial
def test_five_thousand_nodes_are_grouped_and_drawn_in_three_tenths_of_a_second_of_work():
    graph = residual_chain(500)
    took = []
    for _ in range(3):
        began = time.process_time()
        grouped = group_graph(graph, "scope")
        collapsed_view(grouped, expanded=grouped.first_expansion())
        took.append(time.process_time() - began)
    assert min(took) < 0.3


def test_a_structureless_level_is_cut_into_parts_below_the_limit():
    sketch = Sketch()
    ends = [sketch.add("Relu", "x", name=f"r{number}") for number in range(700)]
    grouped = group_graph(sketch.graph(ends), "scope")
    assert len(grouped.root.children) <= 32


def test_constants_are_folded_into_the_box_of_the_node_that_reads_them():
    sketch = Sketch()
    weight = sketch.add("ConstantOfShape", "w")
    last = sketch.add("Relu", sketch.add("Conv", "x", weight))
    view = collapsed_view(group_graph(sketch.graph([last]), "blocks"))
    assert [box.label for box in view.boxes[:2]] == ["Conv", "Relu"]
    assert view.boxes[0].members == (0, 1)
    assert view.boxes[0].is_expandable


def test_colour_keys_follow_what_the_page_names():
    graph = residual_chain(2)
    view = collapsed_view(group_graph(graph, "blocks"), key_of={0: "int8"} | dict.fromkeys(range(1, 20), "fp16"))
    assert view.boxes[0].colour_key == "fp16"
    assert view.boxes[0].shares == (("fp16", 19), ("int8", 1))


def test_a_node_deep_inside_is_found_with_the_groups_to_open():
    graph = scoped_encoder(3)
    grouped = group_graph(graph, "scope")
    deep = next(node.index for node in graph.nodes if node.name == "/encoder/layer2/attention/query/MatMul")
    box_id, around = grouped.locate(deep)
    assert collapsed_view(grouped).box(box_id) is None
    assert collapsed_view(grouped, expanded=frozenset(around)).box(box_id).members == (deep,)
    assert grouped.locate(len(graph.nodes)) is None


def test_another_graph_or_grouping_has_another_identity():
    graphs = [group_graph(residual_chain(2), "scope"), group_graph(residual_chain(2), "blocks")]
    assert len({grouped.identity for grouped in [*graphs, group_graph(residual_chain(3), "scope")]}) == 3
    assert group_graph(residual_chain(2), "scope").identity == graphs[0].identity


def test_an_empty_graph_has_an_empty_view():
    view = collapsed_view(group_graph(Sketch().graph([]), "scope"))
    assert [box.kind for box in view.boxes] == ["input"]


def test_the_same_graph_is_always_drawn_the_same():
    graph = scoped_encoder(4)
    one, other = (group_graph(graph, "scope") for _ in range(2))
    assert collapsed_view(one, expanded=every_id(one)) == collapsed_view(other, expanded=every_id(other))
