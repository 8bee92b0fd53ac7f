"""The values of one layer in every precision, on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.divergence_charts import faint, stamp_of
from pages.ui.stamp import HALF, stamp
from pages.ui.theme import plot_layout, precision_colour, precision_label, room
from trt_core.analysis.divergence import BASELINE
from trt_core.analysis.divergence_pictures import FormatLimit
from trt_core.domain.divergence import DivergenceRun, LayerDivergence, ValueHistogram

_EMPTY = 0.5  # where a logarithmic axis of counts draws none


def values_figure(run: DivergenceRun, layer: LayerDivergence, limits: Sequence[FormatLimit]) -> Any:
    """The values of one layer in every precision on one axis, with the limits of the formats that are near."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for histogram in layer.histograms:
        _values(figure, histogram)
    span = _span(layer.histograms)
    for limit in limits:
        for edge in (-limit.largest, limit.largest):
            if span[0] <= edge <= span[1]:
                figure.add_vline(
                    x=edge,
                    line={"color": precision_colour(limit.precision), "width": 1.5, "dash": "dash"},
                    annotation={"text": f"{limit.precision.upper()} ends", "font": {"size": 10}},
                    annotation_position="top left" if edge > 0 else "top right",
                )
    figure.update_layout(**plot_layout(height=330, hovermode="closest", margin=room()))
    figure.update_xaxes(title=f"value of {text.chart(layer.tensor, 40)}", zeroline=False)
    figure.update_yaxes(
        title="values (logarithmic)", type="log", dtick=1, exponentformat="power", range=_decades(layer)
    )
    return stamp(figure, [stamp_of(run)], line=HALF)


def _decades(layer: LayerDivergence) -> list[float]:
    """The count axis: from below one value, so that a bin with a single one has a height."""
    most = max(max(item.counts) for item in layer.histograms)
    return [math.log10(_EMPTY), math.log10(2 * max(most, 1))]


def _span(histograms: Sequence[ValueHistogram]) -> tuple[float, float]:
    edges = [edge for item in histograms for edge in (item.edges[0], item.edges[-1])]
    return (min(edges), max(edges)) if edges else (0.0, 0.0)


def _values(figure: Any, histogram: ValueHistogram) -> None:
    """The baseline as an area, candidates as lines, so that equal histograms stay visible."""
    colour = precision_colour(histogram.label)
    is_baseline = histogram.label == BASELINE
    figure.add_scatter(
        x=histogram.edges,
        y=[*(count or _EMPTY for count in histogram.counts), _EMPTY],
        customdata=[*histogram.counts, 0],
        mode="lines",
        name=precision_label(histogram.label),
        fill="tozeroy" if is_baseline else None,
        fillcolor=faint(colour, 0.25) if is_baseline else None,
        line={"color": colour, "width": 1 if is_baseline else 2, "shape": "hv"},
        hovertemplate=f"{precision_label(histogram.label)}<br>%{{customdata:,}} values from %{{x:.4g}}<extra></extra>",
    )
