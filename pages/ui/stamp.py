"""The conditions of a measurement, written under its plot: they are in the PNG, too."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from pages.ui import text

WIDE, HALF = 64, 36  # characters a line that fit a plot of 430 px (the page at 500 px), and one of half the page
_LINE_PX = 15
_BELOW_AXIS_PX = 52


def stamp(figure: Any, sentences: Sequence[str], *, line: int = WIDE) -> Any:
    """Write the sentences (foreign text allowed) under the x axis, and make the figure as much taller."""
    lines = [
        part
        for sentence in sentences
        for part in textwrap.wrap(text.clean(sentence, 600), line, break_on_hyphens=False)
    ]
    figure.add_annotation(
        text="<br>".join(text.chart(part, line) for part in lines),
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="top",
        yshift=-_BELOW_AXIS_PX,
        align="left",
        showarrow=False,
        opacity=0.9,
        font={"size": 11},
    )
    needed = _BELOW_AXIS_PX + _LINE_PX * len(lines) + 6
    figure.update_layout(margin_b=needed, height=(figure.layout.height or 360) + _LINE_PX * len(lines))
    return figure


def stamped(figure: Any, sentences: Sequence[str], *, line: int = WIDE) -> Any:
    """The same on a copy, for a figure that is kept: it would be stamped once more with every reader."""
    import plotly.graph_objects as go

    return stamp(go.Figure(figure), sentences, line=line)
