"""Figures of several attempts at one build request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.theme import NEUTRAL, plot_layout
from trt_core.analysis.rebuilds import RebuildSpread
from trt_core.domain.rebuilds import AttemptLatency

_ROUNDS = ("circle", "diamond", "square", "cross", "x", "triangle-up", "star", "hexagon", "pentagon", "bowtie")


def build_figure(found: RebuildSpread) -> Any:
    """Seconds of every attempt."""
    import plotly.graph_objects as go

    places = list(range(1, len(found.attempts) + 1))
    figure = go.Figure(
        go.Bar(
            x=places,
            y=found.seconds,
            marker={"color": NEUTRAL},
            hovertext=[
                f"{text.chart(item)}<br>{text.seconds(seconds)}, {text.mebibytes(size)}"
                for item, seconds, size in zip(found.attempts, found.seconds, found.engine_bytes, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.update_layout(**plot_layout(height=240))
    figure.update_xaxes(title="attempt", dtick=1)
    figure.update_yaxes(title="parse and build, s", rangemode="tozero")
    return figure


def latency_figure(attempts: Sequence[AttemptLatency]) -> Any:
    """The median of every attempt with its interval, a mark a round: rounds of one attempt tell noise from builds."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for turn in range(max((len(item.rounds) for item in attempts), default=0)):
        rounds = [(place, item.rounds[turn]) for place, item in enumerate(attempts, start=1)]
        bounds = [one.p50_ci95_ms or (one.p50_ms, one.p50_ms) for _, one in rounds]
        figure.add_scatter(
            x=[place + 0.12 * turn for place, _ in rounds],
            y=[one.p50_ms for _, one in rounds],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - one.p50_ms for (_, one), (_, high) in zip(rounds, bounds, strict=True)],
                "arrayminus": [one.p50_ms - low for (_, one), (low, _) in zip(rounds, bounds, strict=True)],
                "color": NEUTRAL,
            },
            mode="markers",
            marker={"color": NEUTRAL, "symbol": _ROUNDS[turn % len(_ROUNDS)], "size": 9},
            name=f"round {turn + 1}",
            hovertemplate="attempt %{x:.0f}: p50 %{y:.4g} ms<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=320))
    figure.update_xaxes(title="attempt", dtick=1)
    figure.update_yaxes(title="p50, ms, with its 95 % interval")
    return figure
