"""Figures of the latency page: ECDF with its band, histogram, samples over time, cold start, nodes by time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.latency_runs import RunView, stamp_of
from pages.ui.stamp import HALF, stamp
from pages.ui.theme import NEUTRAL, plot_layout, room
from trt_core.analysis.latency import ecdf
from trt_core.analysis.latency_pictures import NodeTime, TimeAxis, over_time, shared_histogram, time_axis


def ecdf_figure(views: Sequence[RunView]) -> Any:
    """Share of samples at or below a latency, one step curve a run, with its 95 % band."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for view in views:
        steps = ecdf(view.run.samples_ms)
        edge = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(x=steps.x_ms, y=steps.low, legendgroup=view.letter, **edge)
        figure.add_scatter(
            x=steps.x_ms,
            y=steps.high,
            fill="tonexty",
            fillcolor=_clear(view.colour),
            legendgroup=view.letter,
            **edge,
        )
        figure.add_scatter(
            x=steps.x_ms,
            y=steps.share,
            mode="lines",
            name=view.name,
            legendgroup=view.letter,
            line={"color": view.colour, "dash": view.dash, "width": 2.4, "shape": "hv"},
            hovertemplate=f"{view.name}<br>%{{y:.1%}} of samples take at most %{{x:.4g}} ms<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=430, hovermode="closest", margin=room()))
    _time(figure, time_axis([view.run.samples_ms for view in views]))
    figure.update_yaxes(
        title="share of samples", range=[-0.01, 1.02], tickvals=[0, 0.25, 0.5, 0.75, 0.9, 0.99], tickformat=".0%"
    )
    return stamp(figure, stamp_of(views))


def histogram_figure(views: Sequence[RunView]) -> Any:
    """Samples by latency, as shares of each run in the same bins."""
    import plotly.graph_objects as go

    found = shared_histogram([view.run.samples_ms for view in views])
    figure = go.Figure()
    for view, shares in zip(views, found.shares, strict=True):
        figure.add_scatter(
            x=found.edges_ms,
            y=[*shares, 0.0],
            mode="lines",
            name=view.name,
            fill="tozeroy",
            fillcolor=_clear(view.colour),
            line={"color": view.colour, "dash": view.dash, "width": 1.6, "shape": "hv"},
            hovertemplate=f"{view.name}<br>%{{y:.1%}} of samples from %{{x:.4g}} ms<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=300, hovermode="closest", margin=_room(views)))
    _time(figure, found.axis)
    figure.update_yaxes(title="share of samples", rangemode="tozero", tickformat=".0%")
    return stamp(figure, stamp_of(views), line=HALF)


def beyond(views: Sequence[RunView]) -> str:
    """What the plots' time axis leaves out, in a sentence; "" when that is nothing."""
    found = shared_histogram([view.run.samples_ms for view in views])
    lying = [f"{view.letter} {text.count(count)}" for view, count in zip(views, found.beyond, strict=True) if count]
    if not lying:
        return ""
    return (
        f"The axis ends at p99.5, {text.milliseconds(found.axis.high_ms)}; samples beyond it: {', '.join(lying)}. "
        "Double-click a plot to see them."
    )


def time_figure(views: Sequence[RunView]) -> Any:
    """Samples in the order taken; where they are many, the median of neighbours with a bar to the highest."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for view in views:
        series = over_time(view.run.samples_ms)
        merged = series.neighbours > 1
        figure.add_scatter(
            x=series.number,
            y=series.median_ms,
            mode="markers",
            name=view.name,
            marker={"color": view.colour, "symbol": view.symbol, "size": 4, "opacity": 0.7},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": series.above_ms,
                "arrayminus": series.below_ms,
                "thickness": 1,
                "width": 0,
                "color": _clear(view.colour, 0.35),
            }
            if merged
            else None,
            hovertemplate=f"{view.name}<br>sample %{{x:,.0f}}: %{{y:.4g}} ms<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=300, hovermode="closest", margin=_room(views)))
    figure.update_xaxes(title="sample, in the order taken")
    _time(figure, time_axis([view.run.samples_ms for view in views]), upright=True)
    return stamp(figure, stamp_of(views), line=HALF)


def warmup_figure(views: Sequence[RunView]) -> Any:
    """The warm-up inferences, which are in no statistic: the first one is the cold start."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for view in views:
        figure.add_scatter(
            x=list(range(1, len(view.run.warmup_ms) + 1)),
            y=view.run.warmup_ms,
            mode="lines+markers",
            name=view.name,
            line={"color": view.colour, "dash": view.dash, "width": 1.4},
            marker={"symbol": view.symbol, "size": 6},
            hovertemplate=f"{view.name}<br>warm-up %{{x}}: %{{y:.4g}} ms<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=260, hovermode="closest", margin=_room(views)))
    figure.update_xaxes(title="warm-up inference", rangemode="tozero")
    _time(figure, time_axis([view.run.warmup_ms for view in views]), upright=True)
    figure.update_yaxes(autorange=True)
    return stamp(figure, stamp_of(views))


def node_figure(nodes: Sequence[NodeTime], view: RunView) -> Any:
    """Nodes of the profiled run, the slowest at the top."""
    import plotly.graph_objects as go

    labels = [f"{number}. {text.chart(node.name, 44)}" for number, node in enumerate(nodes, start=1)]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=labels,
            x=[node.mean_ms for node in nodes],
            marker={"color": NEUTRAL},
            text=[f"{text.milliseconds(node.mean_ms)} · {text.percent(node.share)}" for node in nodes],
            textposition="auto",
            hovertext=[f"{text.chart(node.name, 90)}<br>{text.chart(node.op_type)}" for node in nodes],
            hovertemplate="%{hovertext}<br>%{text}<extra></extra>",
        )
    )
    figure.update_layout(**plot_layout(height=90 + 24 * len(nodes), showlegend=False))
    figure.update_xaxes(title="mean time, ms", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return stamp(figure, ["A separate profiled run, slower than the samples: read the shares.", *stamp_of([view])])


def _room(views: Sequence[RunView]) -> dict[str, int]:
    return room() if len(views) > 1 else room(legend=32)  # one run has no legend


def _time(figure: Any, axis: TimeAxis, *, upright: bool = False) -> None:
    """Make an axis of the figure the time axis: the x axis, or with `upright` the y axis."""
    update = figure.update_yaxes if upright else figure.update_xaxes
    if axis.is_log:
        span = [math.log10(axis.low_ms), math.log10(axis.high_ms)]
        labels = [text.figure(tick, digits=1) for tick in axis.ticks_ms]
        update(type="log", title="latency, ms (logarithmic)", range=span, tickvals=axis.ticks_ms, ticktext=labels)
    else:
        update(title="latency, ms", range=[axis.low_ms, axis.high_ms])


def _clear(colour: str, opacity: float = 0.16) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
