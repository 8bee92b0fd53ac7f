"""Figures of the build page: precisions asked for and real, where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.theme import (
    HAIRLINE,
    NEUTRAL,
    PRECISION_LABELS,
    PRECISION_LETTERS,
    plot_layout,
    precision_colour,
    precision_of,
)
from trt_core.domain.artifacts import BuildRecord


def precision_figure(record: BuildRecord) -> Any:
    """Two bars of the same length: the precision that was asked for, and what the engine layers run in."""
    import plotly.graph_objects as go

    asked, real = "asked for", "engine layers run in"
    figure = go.Figure()
    wanted = record.recipe.precision
    rows = [(asked, wanted.value, record.layer_count)]
    rows += [(real, name, count) for name, count in record.precisions.items()]
    for row, name, count in rows:
        precision = precision_of(name)
        letter = PRECISION_LETTERS[precision]
        shown = PRECISION_LABELS[precision] if row == asked else f"{letter} {count}"
        figure.add_bar(
            x=[count],
            y=[row],
            orientation="h",
            marker={"color": precision_colour(precision), "line": {"width": 1, "color": "white"}},
            name=f"{PRECISION_LABELS[precision]} ({letter})",
            legendgroup=name,
            showlegend=row == real,
            text=[shown],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{PRECISION_LABELS[precision]}: {text.counted(count, 'engine layer')}<extra>{row}</extra>",
        )
    figure.update_layout(**plot_layout(height=190, barmode="stack", bargap=0.35))
    figure.update_xaxes(title="engine layers")
    figure.update_yaxes(categoryorder="array", categoryarray=[real, asked])
    return figure


def stage_figure(stages: Sequence[tuple[str, float]]) -> Any:
    """The stages of a build one after another, each as long as it took."""
    import plotly.graph_objects as go

    names = [name for name, _ in stages]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            measure=["relative"] * len(stages),
            y=names,
            x=[seconds for _, seconds in stages],
            text=[text.seconds(seconds) for _, seconds in stages],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": NEUTRAL}},
            connector={"line": {"width": 1, "color": HAIRLINE}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        **plot_layout(height=80 + 30 * len(stages), showlegend=False, margin={"l": 8, "r": 72, "t": 24, "b": 8})
    )
    figure.update_xaxes(title="seconds since the worker began")
    figure.update_yaxes(autorange="reversed")
    return figure
