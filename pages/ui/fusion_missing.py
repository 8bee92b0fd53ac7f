"""Below the strip of engine layers: the fusions that the graph promises and that did not happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.ui import text
from pages.ui.outlines import MANY, STEP, outline
from pages.ui.theme import NEUTRAL
from trt_core.analysis.fusion_pictures import MissingFusion

LEVEL_PX = 26  # a level of dashed blocks
_STRIP_PX, _LETTER_PX = 900, 6.5  # about: a label stands where its block has room for it


def add_missing(figure: Any, missing: Sequence[MissingFusion], levels: int, *, layers: int, row: int) -> None:
    """Dashed blocks, each over the layers that would have been one."""
    name = f"expected, not fused ({len(missing)})"
    if layers > MANY:  # dashes would be a grey bar, and every block an element
        _shapes(figure, missing, levels, name=name, row=row)
    else:
        _dashes(figure, missing, name=name, row=row)
    asked = {
        "x": [(item.first + item.last) / 2 for item in missing],
        "customdata": [item.layers[0] for item in missing],
        "legendgroup": name,
        "showlegend": False,
        "hovertext": [_hover(item) for item in missing],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "yaxis": f"y{row}",
    }
    if layers > MANY:
        _marks(figure, missing, asked)
    else:
        _words(figure, missing, room=_STRIP_PX / layers / _LETTER_PX, asked=asked)
    figure.update_layout({f"yaxis{row}": {"visible": False, "fixedrange": True, "range": [-levels, 0.05]}})


def _marks(figure: Any, missing: Sequence[MissingFusion], asked: Mapping[str, Any]) -> None:
    """Marks that are not drawn and answer the pointer."""
    figure.add_scatter(
        y=[-item.level - 0.5 for item in missing],
        mode="markers",
        marker={"size": 16, "opacity": 0, "color": NEUTRAL, "maxdisplayed": 1},
        **asked,
    )


def _words(figure: Any, missing: Sequence[MissingFusion], *, room: float, asked: Mapping[str, Any]) -> None:
    """Unseen bars that carry the words: in a narrower window, Plotly makes no word wider than its bar."""
    labels = [text.chart(item.pattern, 24) for item in missing]
    figure.add_bar(
        width=[item.last - item.first + 0.92 for item in missing],
        base=[-item.level - 0.92 for item in missing],
        y=[0.84] * len(missing),
        text=[
            label if len(label) <= room * (item.last - item.first + 1) else ""
            for label, item in zip(labels, missing, strict=True)
        ],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="inside",
        textfont={"size": 11, "color": NEUTRAL},
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        **asked,
    )


def _dashes(figure: Any, missing: Sequence[MissingFusion], *, name: str, row: int) -> None:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for item in missing:
        left, right = item.first - 0.46, item.last + 0.46
        top, bottom = -item.level - 0.08, -item.level - 0.92
        xs += [left, right, right, left, left, None]
        ys += [top, top, bottom, bottom, top, None]
    line = {"color": NEUTRAL, "width": 1.6, "dash": "4px,3px"}
    figure.add_scatter(
        x=xs, y=ys, mode="lines", line=line, name=name, legendgroup=name, hoverinfo="skip", yaxis=f"y{row}"
    )


def _shapes(figure: Any, missing: Sequence[MissingFusion], levels: int, *, name: str, row: int) -> None:
    for level in range(levels):
        here = sorted((item.first, item.last, -level - 0.08) for item in missing if item.level == level)
        xs, ys = outline(here, floor=-level - 0.92)
        look = {"mode": "none", "fill": "toself", "fillcolor": NEUTRAL, "opacity": 0.6, "hoverinfo": "skip"}
        own = {"name": name, "legendgroup": name, "showlegend": not level, "yaxis": f"y{row}"}
        figure.add_scatter(x=xs, y=ys, line=STEP, **look, **own)


def _hover(item: MissingFusion) -> str:
    numbers = ", ".join(str(index) for index in item.layers[:8]) + (" …" if len(item.layers) > 8 else "")
    return "<br>".join(
        [
            f"<b>{text.chart(item.pattern)} did not become one layer</b>",
            f"{text.counted(item.nodes, 'node')}, in layers {numbers}",
            *([text.chart(item.reason, 110)] if item.reason else []),
        ]
    )
