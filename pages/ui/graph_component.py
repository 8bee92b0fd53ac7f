"""The interactive graph: a component of our own that draws a `GraphView` as SVG, offline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.once import ByValue, once
from pages.ui.theme import PRECISION_CODES, PRECISION_COLOURS, PRECISION_LABELS
from trt_core.analysis.graph_boxes import GraphBox
from trt_core.analysis.graph_groups import GroupedGraph
from trt_core.analysis.graph_view import GraphView, collapsed_view, op_counts

# Colour, letter code and words for each kind of op; muted, because the strong colours mean precisions.
OP_COLOURS: dict[str, tuple[str, str, str]] = {
    "compute": ("#4A6FA5", "Mx", "convolution, matrix product"),
    "norm": ("#8E7CC3", "Nm", "normalization"),
    "activation": ("#B7794B", "Ac", "activation"),
    "elementwise": ("#7E9A3C", "El", "elementwise"),
    "pool": ("#B5607A", "Rd", "pooling, reduction"),
    "move": ("#7B8794", "Mv", "shape and data movement"),
    "quantize": ("#3E5C5A", "QD", "quantize, dequantize"),
    "control": ("#A33F3F", "Ct", "control flow"),
    "constant": ("#B8B0A2", "Cn", "constant"),
    "other": ("#5F5F5F", "Ot", "other ops"),
}
_PRECISIONS = {
    precision.value: (PRECISION_COLOURS[precision], PRECISION_CODES[precision], PRECISION_LABELS[precision])
    for precision in PRECISION_COLOURS
}
_SPARE = ("#4A6FA5", "#B7794B", "#7E9A3C", "#8E7CC3", "#B5607A", "#3E5C5A", "#7B8794")


@dataclass(frozen=True, kw_only=True)
class GraphSelection:
    """What the reader did: the selected box, and a request (`toggle` a box, `find` a text, `reset` the groups)."""

    selected: str | None
    request: str | None = None
    target: str | None = None  # a box id for `toggle`, what was typed for `find`


@cache
def _component() -> Any:
    folder = Path(__file__).parent
    # Read once a process: the text is ours, and no data is ever put into it.
    return st.components.v2.component(
        "enginescope.graph",
        css=(folder / "graph.css").read_text(encoding="utf-8"),
        js=(folder / "graph.js").read_text(encoding="utf-8"),
    )


def model_graph(
    view: GraphView,
    *,
    key: str,
    colours: Mapping[str, str] | None = None,
    selected: str | None = None,
    highlight: Collection[int] = (),
    height: int = 560,
    focus: str | None = None,
    turn: int = 0,
) -> GraphSelection:
    """Draw a view and say what the reader did.

    `colours` gives a colour (`#rrggbb`) by colour key where the precision and op palettes do not know it; `highlight`
    are node indices, whose boxes stand out; `focus` is a box to select and bring to the middle, again whenever
    `turn` changes.
    """
    lit = frozenset(highlight)
    # The browser's word on the selection is already here before the component is mounted again.
    current = (st.session_state.get(f"{key}.component") or {}).get("selected", selected)
    data = _payload(view, lit, colours or {})
    data |= {
        "selected": current,
        "height": height,
        "focus": focus,
        "focus_stamp": turn,
    }
    result = _component()(
        key=f"{key}.component",
        data=data,
        default={"selected": selected},
        height="content",
        on_selected_change=_nothing,
        on_request_change=_nothing,
    )
    return _selection(result)


def _selection(result: Any) -> GraphSelection:
    request = result.request if isinstance(result.request, dict) else {}
    chosen = result.selected if isinstance(result.selected, str) else None
    target = request.get("id") if request.get("do") == "toggle" else request.get("text")
    return GraphSelection(
        selected=chosen,
        request=str(request["do"]) if "do" in request else None,
        target=str(target) if target is not None else None,
    )


def graph_panel(
    grouped: GroupedGraph,
    *,
    key: str,
    key_of: Mapping[int, str] | None = None,
    colours: Mapping[str, str] | None = None,
    highlight: Collection[int] = (),
    show: int | None = None,
    height: int = 560,
) -> GraphBox | None:
    """The graph with groups that open and close; returns the selected box.

    Which groups are open is kept in the session under `key`, and begins anew with another graph or grouping. A new
    value of `show`, a node index, opens the groups around that node, selects it and brings it to the middle.
    """
    state = st.session_state.setdefault(f"{key}.open", {})
    if state.get("identity") != grouped.identity:
        state.clear()
        state |= {"identity": grouped.identity, "expanded": grouped.first_expansion(), "focus": None, "turn": 0}
        state["shown"] = None
    if show is not None and show != state["shown"] and (found := grouped.locate(show)) is not None:
        _bring(state, *found)
    state["shown"] = show
    keys = _stamp(sorted(key_of.items())) if key_of else ""
    view = _view(_Wish(place=id(grouped), expanded=state["expanded"], keys=keys, grouped=grouped, key_of=key_of))
    done = model_graph(
        view,
        key=f"{key}.{grouped.identity}",  # another graph is another component: it begins unselected and fitted
        colours=colours,
        highlight=highlight,
        height=height,
        focus=state["focus"],
        turn=state["turn"],
    )
    if done.request is not None and _answer(grouped, state, done):
        st.rerun()
    return view.box(done.selected) if done.selected else None


def prepare(grouped: GroupedGraph) -> None:
    """Lay out the first view of a graph, so that its first reader finds it made."""
    _view(_Wish(place=id(grouped), expanded=grouped.first_expansion(), keys="", grouped=grouped, key_of=None))


@dataclass(frozen=True, kw_only=True)
class _Wish(ByValue):
    """What a drawing is decided by; it keeps its graph alive, so that no other takes over the same `place`."""

    place: int
    expanded: frozenset[str]
    keys: str
    grouped: GroupedGraph = field(compare=False)
    key_of: Mapping[int, str] | None = field(compare=False)


@once(32)
def _view(wish: _Wish) -> GraphView:
    """The drawing, laid out once for all readers and reruns."""
    return collapsed_view(wish.grouped, expanded=wish.expanded, key_of=wish.key_of)


def _nothing() -> None:
    """Streamlit reports a value only where a callback is named for it."""


def _answer(grouped: GroupedGraph, state: dict[str, Any], done: GraphSelection) -> bool:
    """Carry out a request on the session's state; whether there is something new to draw."""
    state["focus"] = None
    if done.request == "reset":
        state["expanded"] = grouped.first_expansion()
        return True
    if done.request == "toggle" and done.target:
        state["expanded"] = state["expanded"] ^ {done.target}
        return True
    if done.request == "find" and done.target:
        found = _find(grouped, done.target)
        if found is not None:
            _bring(state, *found)
            return True
        st.toast(f"No node has this text in its name or op: {len(grouped.graph.nodes)} nodes searched.")
    return False


def _bring(state: dict[str, Any], box_id: str, around: tuple[str, ...]) -> None:
    state["expanded"] = state["expanded"] | set(around)
    state["focus"] = box_id
    state["turn"] += 1


def _find(grouped: GroupedGraph, text: str) -> tuple[str, tuple[str, ...]] | None:
    """The first box whose name, label or op holds the text, and the groups around it."""
    wanted = text.casefold()
    nodes = grouped.graph.nodes
    for group, around in grouped.walk():
        main = nodes[group.members[-1]] if group.kind in ("node", "op") else None
        texts = (main.name, main.op_type) if main else (group.label,)
        if any(wanted in candidate.casefold() for candidate in texts):
            return group.id, around
    return None


def _payload(view: GraphView, lit: frozenset[int], colours: Mapping[str, str]) -> dict[str, Any]:
    boxes = [_row(box, lit) for box in view.boxes]
    edges = [[edge.source, edge.target, [n for point in edge.points for n in point], edge.text] for edge in view.edges]
    palette = _palette(view, colours)
    return {
        "boxes": boxes,
        "edges": edges,
        "span": [view.width, view.height],
        "nodes": len({node for box in view.boxes for node in box.members}),
        "stamp": _stamp([[row[:9] for row in boxes], edges]),
        "look": _stamp([[row[9:] for row in boxes], palette]),
        "dim": bool(lit),
        "colours": palette,
    }


def _stamp(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _row(box: GraphBox, lit: frozenset[int]) -> list[Any]:
    share = f"{100 * box.macs_share:.3g} % of MACs" if box.macs_share and box.macs_share >= 0.0005 else ""
    is_single = box.kind in ("node", "op", "input", "output")
    second = box.short if is_single else " · ".join(filter(None, (f"{box.node_count} nodes", share)))
    state = 2 if box.is_expanded else int(box.is_expandable)
    detail = " · ".join(filter(None, (box.detail, share))) if is_single else op_counts(box)
    shares = [list(share) for share in box.shares]
    is_lit = bool(lit) and not lit.isdisjoint(box.members)
    place = [box.x, box.y, box.width, box.height]
    return [box.id, box.label, detail, box.kind, *place, state, box.colour_key, shares, second, box.parent, is_lit]


def _palette(view: GraphView, colours: Mapping[str, str]) -> list[list[str]]:
    """Key, colour, letter code and words of every key in the view, in the palettes' order."""
    present = dict.fromkeys(key for box in view.boxes for key, _ in box.shares)
    known = _PRECISIONS | OP_COLOURS
    rows = [[key, colours.get(key, known[key][0]), *known[key][1:]] for key in known if key in present]
    for number, key in enumerate(name for name in present if name not in known):
        rows.append([key, colours.get(key, _SPARE[number % len(_SPARE)]), key[:3], key])
    return rows
