"""Figures of the build page: profiles as ranges, precisions asked for and real, where the time went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pages.ui import text
from pages.ui.theme import NEUTRAL, PRECISION_LABELS, PRECISION_LETTERS, plot_layout, precision_colour, precision_of
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.profile_axes import Sizes


def profile_figure(profiles: Sequence[Mapping[str, Sizes]]) -> Any:
    """One line a profile and open size, from min to max, with a diamond at opt."""
    import plotly.graph_objects as go

    figure = go.Figure()
    labels = []
    for number, sizes in enumerate(profiles, start=1):
        for name, (low, opt, high) in sizes.items():
            label = f"{number} · {text.chart(name, 24)}"
            labels.append(label)
            hover = f"profile {number}, {text.chart(name)}: min {low}, opt {opt}, max {high}<extra></extra>"
            figure.add_scatter(
                x=[low, high],
                y=[label, label],
                mode="lines+markers",
                line={"width": 7, "color": NEUTRAL},
                marker={"symbol": "line-ns-open", "size": 15, "color": NEUTRAL},
                hovertemplate=hover,
                showlegend=False,
            )
            figure.add_scatter(
                x=[opt],
                y=[label],
                mode="markers+text",
                marker={"symbol": "diamond", "size": 13, "color": "#2f6f4f", "line": {"width": 1, "color": "white"}},
                text=[f"opt {opt}"],
                textposition="top center",
                hovertemplate=hover,
                showlegend=False,
            )
    figure.update_layout(**plot_layout(height=92 + 46 * len(labels)))
    largest = max(high for sizes in profiles for _, _, high in sizes.values())
    ticks = [1 << power for power in range(largest.bit_length() + 1)]
    figure.update_xaxes(
        title="size", type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks], minor={"ticks": ""}
    )
    figure.update_xaxes(range=[math.log10(0.85), math.log10(ticks[-1] * 1.1)])
    figure.update_yaxes(categoryorder="array", categoryarray=labels, range=[len(labels) - 0.4, -0.9])
    return figure


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
            connector={"line": {"width": 1, "color": "rgba(128,128,128,0.5)"}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        **plot_layout(height=80 + 30 * len(stages), showlegend=False, margin={"l": 8, "r": 72, "t": 24, "b": 8})
    )
    figure.update_xaxes(title="seconds since the worker began")
    figure.update_yaxes(autorange="reversed")
    return figure
