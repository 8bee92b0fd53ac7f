"""The picture of a look into an engine: inner tensors that may be believed, layer by layer."""

from __future__ import annotations

from typing import Any

from pages.ui import text
from pages.ui.divergence_charts import sqnr
from pages.ui.once import figure_once
from pages.ui.stamp import stamp
from pages.ui.theme import NEUTRAL, plot_layout, precision_colour, precision_label
from trt_core.domain.engine_divergence import EngineDivergence

_TOP_DB, _BOTTOM_DB = 100.0, -10.0  # what lies beyond is drawn on the edge, and said on hover


@figure_once(8)
def look_figure(run: EngineDivergence) -> Any:
    """SQNR of believed inner tensors in topological order, with the floor below which an output is wrong."""
    from plotly.graph_objects import Figure

    believed = set(run.believed)
    layers = [layer for layer in run.layers if layer.tensor in believed]
    errors = [layer.accumulated[0][1] for layer in layers]
    figure = Figure()
    figure.add_scatter(
        x=list(range(len(layers))),
        y=[min(_TOP_DB, max(_BOTTOM_DB, error.sqnr_db)) for error in errors],
        mode="lines+markers",
        name=f"{precision_label(run.precision)} engine",
        line={"color": precision_colour(run.precision), "width": 2},
        marker={
            "size": 8,
            "symbol": [_symbol(error.sqnr_db) for error in errors],
            "color": precision_colour(run.precision),
        },
        hovertext=[
            f"<b>{text.chart(layer.name, 70)}</b><br>{text.chart(layer.op_type)}: {sqnr(error.sqnr_db)}"
            for layer, error in zip(layers, errors, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.add_hline(
        y=run.intact_db, line={"color": NEUTRAL, "dash": "dot"}, annotation_text=f"right from {run.intact_db:g} dB"
    )
    figure.update_layout(**plot_layout(height=340))
    figure.update_xaxes(title="inner tensor of the engine, in topological order", showgrid=False)
    figure.update_yaxes(title="SQNR, dB: higher is better", range=[_BOTTOM_DB - 4, _TOP_DB + 4], zeroline=False)
    return stamp(figure, [f"{run.method} Data: {run.data or 'seeded noise'}."])


def _symbol(value_db: float) -> str:
    if value_db >= _TOP_DB:
        return "triangle-up-open"
    return "x" if value_db <= _BOTTOM_DB else "circle"
