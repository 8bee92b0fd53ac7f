"""The figure of several precisions: one strip an error, one colour scale for all, gains and blocks below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.divergence_charts import draw_brackets, sqnr
from pages.ui.stamp import stamp
from pages.ui.theme import plot_layout, precision_colour, precision_label
from trt_core.analysis.divergence_pictures import Bracket
from trt_core.analysis.sensitivity_map import SCALE_DB, Gains, Strip, gains, strips
from trt_core.domain.sensitivity import SensitivityRun

# Dark where much is lost; a scale of its own, because the strong colours mean precisions.
_SCALE = ((0.0, "#1A0F2B"), (0.33, "#4B1F7A"), (0.5, "#8462B0"), (0.67, "#B3A5D3"), (1.0, "#EDEFF2"))
_STRIP_PX, _GAINS_PX, _BLOCK_PX = 30, 120, 26
_NARROW = 150  # layers from which single cells have no border


def map_figure(run: SensitivityRun, spans: Sequence[Bracket]) -> Any:
    """Layers in topological order; strips of SQNR above, what one layer alone brings back below, then the blocks."""
    from plotly.subplots import make_subplots

    drawn, measured = strips(run), gains(run)
    levels = 1 + max((item.level for item in spans), default=-1)
    sizes = [
        _STRIP_PX * max(1, len(drawn)),
        *([_GAINS_PX] if measured else []),
        *([_BLOCK_PX * levels] if levels else []),
    ]
    figure = make_subplots(
        rows=len(sizes),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.03,
        row_heights=[size / sum(sizes) for size in sizes],
    )
    _strips(figure, run, drawn)
    for item in measured:
        _gains(figure, run, item)
    if measured:
        figure.update_yaxes(title=f"{run.metric} gained", zeroline=True, row=2, col=1)
    if levels:
        draw_brackets(figure, spans, levels, row=len(sizes))
    figure.update_layout(**plot_layout(height=sum(sizes) + 120, barmode="group", hovermode="closest"))
    figure.update_xaxes(range=[-0.6, len(run.layers) - 0.4], showgrid=False, zeroline=False)
    figure.update_xaxes(title="compared layer, in topological order", row=len(sizes), col=1)
    return stamp(figure, [f"{run.method} Data: {run.data}."])


def _strips(figure: Any, run: SensitivityRun, drawn: Sequence[Strip]) -> None:
    low, high = SCALE_DB
    figure.add_heatmap(
        z=[[None if value is None else min(max(value, low), high) for value in strip.sqnr_db] for strip in drawn],
        x=list(range(len(run.layers))),
        y=[f"{precision_label(strip.precision)} {strip.kind}" for strip in drawn],
        zmin=low,
        zmax=high,
        colorscale=[list(stop) for stop in _SCALE],
        colorbar={"title": {"text": "SQNR, dB"}, "thickness": 10, "len": 0.6, "y": 1, "yanchor": "top"},
        xgap=1 if len(run.layers) <= _NARROW else 0,
        ygap=2,
        hovertext=[[_hover(run, strip, place, value) for place, value in enumerate(strip.sqnr_db)] for strip in drawn],
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
        row=1,
        col=1,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, row=1, col=1)


def _hover(run: SensitivityRun, strip: Strip, place: int, value: float | None) -> str:
    layer = run.layers[place]
    return (
        f"<b>{place} · {text.chart(layer.name, 70)}</b><br>{text.chart(layer.op_type)}<br>"
        f"{precision_label(strip.precision)} {strip.kind}: {sqnr(value)}"
    )


def _gains(figure: Any, run: SensitivityRun, item: Gains) -> None:
    for is_measured in (True, False):
        chosen = [
            (at, gain)
            for at, gain, known in zip(item.positions, item.gains, item.measured, strict=True)
            if known is is_measured and math.isfinite(gain)
        ]
        if not chosen:
            continue
        name = f"{precision_label(item.precision)} alone back, {'measured' if is_measured else 'estimated'}"
        has_measured = any(item.measured)
        figure.add_bar(
            x=[at for at, _ in chosen],
            y=[gain for _, gain in chosen],
            name=name,
            showlegend=is_measured or not has_measured,
            marker={
                "color": precision_colour(item.precision) if is_measured else "rgba(0,0,0,0)",
                "line": {"color": precision_colour(item.precision), "width": 1},
            },
            hovertext=[
                f"<b>{at} · {text.chart(run.layers[at].name, 70)}</b><br>{name}: {gain:+.4g}" for at, gain in chosen
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            row=2,
            col=1,
        )
