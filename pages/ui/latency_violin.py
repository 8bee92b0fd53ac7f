"""Violins: the shape of each run's samples, smoothed from a bounded number of points with the tail kept as marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui.latency_runs import RunView, stamp_of
from pages.ui.stamp import HALF, stamp
from pages.ui.theme import plot_layout, room
from trt_core.analysis.violin import violin


def violin_figure(views: Sequence[RunView]) -> Any:
    """One violin a run: density up to the 99.5th percentile, quartiles as a box, slower samples as marks."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, view in enumerate(views):
        _add_run(figure, place, view)
    figure.update_layout(**plot_layout(height=360, margin=room()))
    figure.update_xaxes(tickvals=list(range(len(views))), ticktext=[view.name for view in views], showgrid=False)
    figure.update_yaxes(title="ms")
    return stamp(figure, stamp_of(views), line=HALF)


def _add_run(figure: Any, place: int, view: RunView) -> None:
    shape = violin(view.run.samples_ms)
    width = shape.density * 0.42
    figure.add_scatter(
        x=[*(place - width), *(place + width)[::-1]],
        y=[*shape.at_ms, *shape.at_ms[::-1]],
        fill="toself",
        mode="lines",
        line={"color": view.colour, "width": 1},
        name=view.name,
        legendgroup=view.letter,
        hoverinfo="skip",
    )
    low, middle, high = shape.quartiles_ms
    unnamed: dict[str, Any] = {"legendgroup": view.letter, "showlegend": False}
    figure.add_scatter(
        x=[place, place],
        y=[low, high],
        mode="lines",
        line={"color": view.colour, "width": 7},
        **unnamed,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[place],
        y=[middle],
        mode="markers",
        marker={"color": "white", "size": 7, "line": {"color": view.colour, "width": 2}},
        **unnamed,
        hovertemplate=f"{view.name}<br>median %{{y:.4g}} ms<extra></extra>",
    )
    figure.add_scatter(
        x=[place] * len(shape.tail_ms),
        y=shape.tail_ms,
        mode="markers",
        marker={"color": view.colour, "size": 4, "opacity": 0.6},
        **unnamed,
        hovertemplate=f"{view.name}<br>%{{y:.4g}} ms, among the slowest 0.5 %<extra></extra>",
    )
