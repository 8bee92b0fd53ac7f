"""Figures of the fusion page: layers in execution order, both rows with their lines, and where the ops end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from pages.ui import text
from pages.ui.fusion_strip import PICKED, layer_hover
from pages.ui.once import figure_once
from pages.ui.theme import (
    ALARM,
    NEUTRAL,
    PRECISION_LABELS,
    PRECISION_LETTERS,
    STEEL,
    plot_layout,
    precision_colour,
)
from trt_core.analysis.fusion_pictures import LinkPicture, link_picture, op_flows
from trt_core.domain.fusion import FusionMap, MappedLayer, NodeFate, NodeState
from trt_core.domain.precision import Precision

# States of nodes, apart from the precision colours; a sign doubles each.
STATE_COLOURS: dict[NodeState, str] = {
    NodeState.MAPPED: STEEL,
    NodeState.FOLDED: "#9FB4C7",
    NodeState.ABSORBED: "#8E7CC3",
    NodeState.UNEXPLAINED: ALARM,
}
STATE_SIGNS: dict[NodeState, str] = {
    NodeState.MAPPED: "● mapped",
    NodeState.FOLDED: "○ folded",
    NodeState.ABSORBED: "◆ absorbed",
    NodeState.UNEXPLAINED: "✕ unexplained",
}
_SYMBOLS = {
    NodeState.MAPPED: "circle",
    NodeState.FOLDED: "circle-open",
    NodeState.ABSORBED: "diamond",
    NodeState.UNEXPLAINED: "x",
}
_MANY_LINES = 300
_MOST_MARKS = 1_000  # of one kind in view: more would lie on each other, and each is an element; zooming in shows all
_PLAIN_LINE = ("rgba(128,140,150,0.45)", 1.0)
_FAINT_LINE = ("rgba(128,140,150,0.28)", 0.5)


def _node_hover(node: NodeFate) -> str:
    said = f"<br>{text.chart(node.by, 90)}" if node.by else ""
    return f"<b>{text.chart(node.name, 70)}</b><br>{text.chart(node.op_type)} · {node.state.value}{said}"


def link_figure(fusion: FusionMap, *, layer: int | None, node: int | None) -> Any:
    """ONNX nodes above in file order, engine layers below in execution order, a line for each holding."""
    import plotly.graph_objects as go

    picture = link_picture(fusion)
    figure = go.Figure()
    _lines(figure, picture, layer=layer, node=node)
    for state in NodeState:
        _node_marks(figure, picture, [item for item in fusion.nodes if item.state is state], state, node)
    for precision in Precision:
        found = [item for item in fusion.layers if item.precision is precision]
        if found:
            _layer_marks(figure, picture, found, layer)
    figure.update_layout(**plot_layout(height=430, hovermode="closest"))
    figure.update_xaxes(visible=False, range=[-0.01, 1.01])
    figure.update_yaxes(
        range=[-0.15, 1.15],
        tickvals=[0, 1],
        ticktext=[f"{len(fusion.layers)} engine layers", f"{len(fusion.nodes)} ONNX nodes"],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    return figure


def _lines(figure: Any, picture: LinkPicture, *, layer: int | None, node: int | None) -> None:
    lit = [link for link in picture.links if link.layer == layer or link.node == node]
    for links, colour, width in (
        (picture.links, *(_FAINT_LINE if len(picture.links) > _MANY_LINES else _PLAIN_LINE)),
        (lit, PICKED, 2.2),
    ):
        xs: list[float | None] = []
        ys: list[float | None] = []
        for link in links:
            xs += [link.node_at, link.layer_at, None]
            ys += [0.97, 0.03, None]
        figure.add_scatter(
            x=xs, y=ys, mode="lines", line={"width": width, "color": colour}, hoverinfo="skip", showlegend=False
        )


def _node_marks(
    figure: Any, picture: LinkPicture, nodes: Collection[NodeFate], state: NodeState, chosen: int | None
) -> None:
    if not nodes:
        return
    few = len(picture.nodes) <= _MANY_LINES
    figure.add_scatter(
        x=[picture.nodes[item.index] for item in nodes],
        y=[1.0] * len(nodes),
        mode="markers",
        customdata=[["node", item.index] for item in nodes],
        name=f"{STATE_SIGNS[state]} ({len(nodes)})",
        marker={
            "opacity": 1,
            "symbol": _SYMBOLS[state],
            "maxdisplayed": _most((item.index for item in nodes), chosen),
            "color": STATE_COLOURS[state],
            "size": [15 if item.index == chosen else 8 if few else 4 for item in nodes],
        },
        hovertext=[_node_hover(item) for item in nodes],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _most(indices: Iterable[int], chosen: int | None) -> int:
    """How many marks are drawn; 0 is all, where the chosen one must not be left out."""
    return 0 if chosen in set(indices) else _MOST_MARKS


def _layer_marks(figure: Any, picture: LinkPicture, layers: list[MappedLayer], chosen: int | None) -> None:
    precision = layers[0].precision
    few = len(picture.layers) <= _MANY_LINES // 3
    figure.add_scatter(
        x=[picture.layers[item.index] for item in layers],
        y=[0.0] * len(layers),
        mode="markers",
        customdata=[["layer", item.index] for item in layers],
        name=f"{PRECISION_LABELS[precision]} ({PRECISION_LETTERS[precision]})",
        marker={
            "opacity": 1,
            "symbol": "square",
            "maxdisplayed": _most((item.index for item in layers), chosen),
            "color": precision_colour(precision),
            "size": [18 if item.index == chosen else 11 if few else 5 for item in layers],
        },
        hovertext=[layer_hover(item) for item in layers],
        hovertemplate="%{hovertext}<extra></extra>",
    )


@figure_once(16)
def flow_figure(fusion: FusionMap) -> Any:
    """Sankey diagram from op types to the precision of the layers that hold them, or to the state without one."""
    import plotly.graph_objects as go

    flows = op_flows(fusion)
    ops = _once(flow.op_type for flow in flows)
    ends = _once(flow.end for flow in flows)
    totals = Counter[str]()
    for flow in flows:
        totals[flow.op_type] += flow.nodes
    labels = [f"{text.chart(op, 28)} {totals[op]}" for op in ops]
    labels += [_end_label(end) for end in ends]
    colours = [NEUTRAL] * len(ops) + [_end_colour(end) for end in ends]
    figure = go.Figure(
        go.Sankey(
            textfont={"size": 13, "shadow": "none"},
            node={"label": labels, "color": colours, "pad": 14, "thickness": 16, "line": {"width": 0}},
            link={
                "source": [ops.index(flow.op_type) for flow in flows],
                "target": [len(ops) + ends.index(flow.end) for flow in flows],
                "value": [flow.nodes for flow in flows],
                "color": [_faint(_end_colour(flow.end)) for flow in flows],
                "hovertemplate": "%{source.label} → %{target.label}: %{value} nodes<extra></extra>",
            },
        )
    )
    figure.update_layout(**plot_layout(height=120 + 30 * max(len(ops), len(ends))))
    return figure


def _once(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _end_label(end: Precision | NodeState) -> str:
    if isinstance(end, NodeState):
        return f"{STATE_SIGNS[end]}, no layer"
    return f"{PRECISION_LABELS[end]} ({PRECISION_LETTERS[end]}) layers"


def _end_colour(end: Precision | NodeState) -> str:
    return STATE_COLOURS[end] if isinstance(end, NodeState) else precision_colour(end)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.4)"
