"""The fusion page's parts: verdict, the strip of layers, a layer's nodes and a node's fate, the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.fusion_charts import STATE_COLOURS, STATE_SIGNS, flow_figure, link_figure
from pages.ui.fusion_strip import layer_figure
from pages.ui.fusion_tables import layer_rows, layer_sentence, node_rows, show_patterns, show_steps
from pages.ui.fusion_times import HEAT_COLOURS
from pages.ui.graph_component import graph_panel
from pages.ui.narrowing import narrowed
from pages.ui.once import once
from pages.ui.pickers import chosen_position
from pages.ui.seen import show_when_seen
from pages.ui.state import select
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from trt_core.analysis.fusion_pictures import colour_keys, layers_of_nodes, nodes_held
from trt_core.analysis.fusion_times import heat_keys
from trt_core.analysis.graph_groups import GroupedGraph, group_graph
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.fusion import FusionMap, NodeState
from trt_core.workbench import Workbench

LAYER, NODE = "fusion.layer", "fusion.node"
_PICKED = "fusion.picked"
_STATE_KEYS = {state.value: colour for state, colour in STATE_COLOURS.items()}
_MOST_LINES = 1_500


@st.cache_resource(max_entries=8, show_spinner=False)
def fusion_of(_bench: Workbench, build_id: str) -> FusionMap:
    """The map of a build; builds do not change, so that it is read once."""
    return _bench.builds.fusion(build_id)


@st.cache_resource(max_entries=8, show_spinner=False)
def _grouped(_bench: Workbench, build_id: str, model_id: str) -> GroupedGraph:
    fusion = fusion_of(_bench, build_id)
    names = {layer.index: layer.name for layer in fusion.layers}
    graph = _bench.library.graph(model_id)
    return group_graph(graph, "engine", layer_of=layers_of_nodes(fusion), layer_names=names)


def fusion_sentence(fusion: FusionMap) -> str:
    """The answer: `38 nodes became 21 engine layers; every one is explained`."""
    left = fusion.state_counts[NodeState.UNEXPLAINED]
    explained = "every one is explained" if not left else f"{left} {'is' if left == 1 else 'are'} unexplained"
    nodes = text.counted(len(fusion.nodes), "node")
    return f"{nodes} became {text.counted(len(fusion.layers), 'engine layer')}; {explained}."


def show_answer(fusion: FusionMap) -> None:
    """Verdict, stamp and cards."""
    verdict(fusion_sentence(fusion))
    st.caption(f":material/verified: {text.plain(fusion.stamp)}")
    saved = text.mebibytes(fusion.saved_bytes) if fusion.saved_bytes is not None else "–"
    metrics(
        [
            Metric(label="ONNX nodes", value=text.count(len(fusion.nodes)), how="Of the uploaded model."),
            Metric(
                label="Engine layers", value=text.count(len(fusion.layers)), how="Layers that compute or move data."
            ),
            Metric(
                label="Fused groups", value=text.count(fusion.fused_group_count), how="Layers of two nodes or more."
            ),
            Metric(
                label="Folded nodes",
                value=text.count(fusion.state_counts[NodeState.FOLDED]),
                how="Gone before the compiler saw them, or constant.",
            ),
            Metric(
                label="DRAM traffic saved (estimate)",
                value=saved,
                how="One write and one read of every tensor that stays inside a layer, for one inference, from shapes "
                "alone with symbols taken as 1. Not measured.",
            ),
        ]
    )


def show_layers(fusion: FusionMap, times_ms: Mapping[int, float] | None = None) -> None:
    """The strip of engine layers, with their times where those are given; a click chooses one."""
    names = {layer.index: layer.name for layer in fusion.layers}
    chosen = chosen_position("layer", names, "this build")
    draw_chart(
        layer_figure(fusion, chosen, times_ms),
        key="fusion.strip",
        on_pick=_picked_bar,
        filename=f"{fusion.build_id}-layers",
    )
    left, right = st.columns(2, gap="large")
    with left:
        _pick("layer", names, chosen, label="Engine layer, or click a block", sees="nodes")
        if chosen is not None:
            _show_layer(fusion, chosen)
    with right:
        nodes = _node_labels(fusion)
        node = chosen_position("node", nodes, "this model")
        _pick("node", nodes, node, label="ONNX node", sees="fate")
        if node is not None:
            _show_node(fusion, node)


def _pick(name: str, labels: Mapping[int, str], chosen: int | None, *, label: str, sees: str) -> None:
    """A list of layers or of nodes; the address is the memory of the choice, so that the link shows it."""
    key = f"fusion.{name}"
    numbered = {index: f"{index} · {label}" for index, label in labels.items()}
    offer = narrowed(numbered, key=f"{key}.find", find=f"Find {name}s", chosen=() if chosen is None else (chosen,))
    st.session_state[key] = chosen
    st.selectbox(
        label,
        offer.options,
        index=None,
        key=key,
        format_func=lambda index: f"{index} · {text.clean(labels[index], 60)}",
        filter_mode=offer.filter_mode,
        placeholder=f"Choose a {name} to see its {sees}",
        on_change=lambda: _choose(name, st.session_state[key]),
    )


@once(8)
def _node_labels(fusion: FusionMap) -> Mapping[int, str]:
    return {node.index: f"{node.name} · {node.op_type}" for node in fusion.nodes}


def _choose(name: str, position: int | None) -> None:
    select({name: "" if position is None else str(position)})


def _picked_bar(mark: Sequence[Any]) -> None:
    _choose("layer", int(mark[0]))


def _picked_mark(mark: Sequence[Any]) -> None:
    _choose(str(mark[0]), int(mark[1]))
    st.session_state[_PICKED] = True


def _show_layer(fusion: FusionMap, index: int) -> None:
    layer = next(item for item in fusion.layers if item.index == index)
    st.markdown(layer_sentence(layer))
    held = nodes_held(fusion, index)
    if not held:
        st.caption("It computes no node of the uploaded model: the compiler or the variant's Q/DQ made it.")
        return
    st.caption(f"It holds {text.counted(len(held), 'node')}; what a rule put there is marked as such.")
    show_table(
        node_rows([fusion.nodes[node] for node in held]),
        key="fusion.layer_nodes",
        filename=f"{fusion.build_id}-layer-{index}.csv",
    )


def _show_node(fusion: FusionMap, index: int) -> None:
    node = fusion.nodes[index]
    says = f", says {text.plain(node.by)}" if node.by else ""
    st.markdown(
        f"**Node {index}** {text.code(node.name)} ({text.plain(node.op_type)}): {STATE_SIGNS[node.state]}{says}."
    )
    layers = [layer for layer in fusion.layers if layer.index in node.layers]
    if not layers:
        st.caption("No engine layer holds it.")
    for layer in layers:
        st.markdown(f"- {layer_sentence(layer)}")


def show_details(
    bench: Workbench, fusion: FusionMap, build: BuildRecord, times_ms: Mapping[int, float] | None = None
) -> None:
    """The map both ways, the graph, the tables, and the findings on the build."""
    missing = sum(not match.fused for match in fusion.patterns)
    show_tabs(
        {
            "Both ways": lambda: _both_ways(fusion),
            "Graph": lambda: _graph(bench, fusion, build.model_id, times_ms),
            f"Expected fusions ({missing} missing)": lambda: show_patterns(fusion),
            "Steps": lambda: show_steps(fusion, bench.builds.engine_record(build.id).fusions),
            "Layers": lambda: _layer_table(fusion, times_ms),
            "Nodes": lambda: _node_table(fusion),
            f"Findings ({len(build.findings)})": lambda: show_findings(build.findings),
        },
        key="fusion.tab",
    )


def _layer_table(fusion: FusionMap, times_ms: Mapping[int, float] | None) -> None:
    rows = layer_rows(fusion, fusion.layers, times_ms)
    show_table(rows, key="fusion.layers", filename=f"{fusion.build_id}-layers.csv", height=420)


def _node_table(fusion: FusionMap) -> None:
    show_table(node_rows(fusion.nodes), key="fusion.nodes", filename=f"{fusion.build_id}-nodes.csv", height=420)


def _both_ways(fusion: FusionMap) -> None:
    if st.session_state.pop(_PICKED, False):
        st.rerun()  # a click in these tabs draws only them again, and what was chosen stands above them, too
    if len(fusion.nodes) <= _MOST_LINES:
        draw_chart(
            link_figure(fusion, layer=st.session_state.get(LAYER), node=st.session_state.get(NODE)),
            key="fusion.links",
            on_pick=_picked_mark,
            filename=f"{fusion.build_id}-links",
        )
        st.caption("Nodes in file order above, layers in execution order below. Click either to see where it leads.")
    else:
        st.caption(
            f"{text.counted(len(fusion.nodes), 'node')}: too many lines to read, so that ops are drawn as groups."
        )
    show_when_seen(partial(_flows, fusion), key="fusion.ends", height=500)


def _flows(fusion: FusionMap) -> None:
    st.markdown("**Where the ops end**")
    draw_chart(flow_figure(fusion), key="fusion.flows", filename=f"{fusion.build_id}-flows")


def _graph(bench: Workbench, fusion: FusionMap, model_id: str, times_ms: Mapping[int, float] | None) -> None:
    chosen = st.session_state.get(LAYER)
    lit = set(nodes_held(fusion, chosen)) if chosen is not None else set()
    if (node := st.session_state.get(NODE)) is not None:
        lit.add(node)
    if times_ms is None:
        colour, keys, colours = "in the colour of its precision", colour_keys(fusion), _STATE_KEYS
    else:
        colour, keys, colours = "darker with its share of the time", heat_keys(fusion, times_ms), HEAT_COLOURS
    st.caption(f"One group for each engine layer, {colour}; what is chosen above stands out.")
    graph_panel(
        _grouped(bench, fusion.build_id, model_id),
        key="fusion.graph",
        key_of=keys,
        colours=colours,
        highlight=lit,
    )
