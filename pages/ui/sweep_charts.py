"""Figures of a sweep: the matrix of settings, and throughput over latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pages.ui import text
from pages.ui.theme import CELL_INK, CELL_SCALE, plot_layout, room
from trt_core.analysis.sweeps import latency_at
from trt_core.domain.sweeps import SweepPoint

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_INK, _OVER, _BEST = "#0072B2", "#999999", "#C2185B"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The latency that a point must keep, and at which percentile."""

    ms: float
    percentile: str


def label_of(point: SweepPoint) -> str:
    """What stands for a point's size on an axis: its batch, or the shapes where those were swept."""
    if not point.setting.shapes:
        return str(point.setting.batch)
    return text.chart(", ".join("×".join(map(str, dims)) for _, dims in point.setting.shapes), 40)


def matrix_figure(points: Sequence[SweepPoint], best: SweepPoint | None, limit: Limit) -> Any:
    """Throughput by size and streams; points over the limit are crossed out in words, the sweet spot is framed."""
    import plotly.graph_objects as go

    sizes = list(dict.fromkeys(label_of(point) for point in points))
    streams = sorted({point.setting.streams for point in points})
    cells = {(label_of(point), point.setting.streams): point for point in points}
    rows = [[cells.get((size, count)) for size in sizes] for count in streams]
    figure = go.Figure(
        go.Heatmap(
            x=sizes,
            y=[str(count) for count in streams],
            z=[[_throughput(cell) for cell in row] for row in rows],
            text=[[_cell_text(cell, limit) for cell in row] for row in rows],
            texttemplate="%{text}",
            textfont={"color": CELL_INK},
            colorscale=CELL_SCALE,
            showscale=False,
            hovertemplate="size %{x}, streams %{y}<br>%{text}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    if best is not None:
        x, y = sizes.index(label_of(best)), streams.index(best.setting.streams)
        figure.add_shape(
            type="rect", x0=x - 0.49, x1=x + 0.49, y0=y - 0.49, y1=y + 0.49, line={"color": _BEST, "width": 4}
        )
    figure.update_layout(**plot_layout(height=140 + 74 * len(streams), margin=room(legend=32)))
    figure.update_xaxes(title="batch" if not points[0].setting.shapes else "input shapes", type="category")
    figure.update_yaxes(title="streams", type="category")
    return figure


def _throughput(point: SweepPoint | None) -> float | None:
    return point.summary.throughput_per_s if point is not None and point.summary is not None else None


def _cell_text(point: SweepPoint | None, limit: Limit) -> str:
    if point is None:
        return "missing"
    if point.summary is None:
        return "failed"
    latency = latency_at(point.summary, limit.percentile)
    over = "<br>over the limit" if latency > limit.ms else ""
    return f"{text.figure(point.summary.throughput_per_s)} /s<br>{limit.percentile} {text.milliseconds(latency)}{over}"


def throughput_figure(points: Sequence[SweepPoint], best: SweepPoint | None, limit: Limit) -> Any:
    """Throughput over latency, a line for each number of streams, the limit as a line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, streams in enumerate(sorted({point.setting.streams for point in points})):
        mine = [p for p in points if p.setting.streams == streams and p.summary is not None]
        figure.add_scatter(
            x=[latency_at(p.summary, limit.percentile) for p in mine if p.summary],
            y=[p.summary.throughput_per_s for p in mine if p.summary],
            text=[label_of(p) for p in mine],
            mode="lines+markers+text",
            textposition="top center",
            line={"color": _INK, "dash": _DASHES[place % len(_DASHES)]},
            name=text.counted(streams, "stream"),
            hovertemplate="size %{text}: %{y:.4g} /s at %{x:.4g} ms<extra></extra>",
        )
    figure.add_vline(x=limit.ms, line={"dash": "dash", "color": _OVER}, annotation_text="limit")
    if best is not None and best.summary is not None:
        figure.add_scatter(
            x=[latency_at(best.summary, limit.percentile)],
            y=[best.summary.throughput_per_s],
            mode="markers",
            marker={"color": _BEST, "size": 16, "symbol": "diamond-open", "line": {"width": 3}},
            name="sweet spot",
            hoverinfo="skip",
        )
    figure.update_layout(**plot_layout(height=380, margin=room()))
    figure.update_xaxes(title=f"{limit.percentile}, ms", rangemode="tozero")
    figure.update_yaxes(title="inferences/s", rangemode="tozero")
    return figure
