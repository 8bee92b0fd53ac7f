"""One layer of a divergence run: its values in every precision, its errors, and those of what feeds it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.divergence_charts import sqnr
from pages.ui.divergence_run import RunView, metric_cells
from pages.ui.divergence_values import values_figure
from pages.ui.tables import show_table
from pages.ui.theme import precision_label
from trt_core.analysis.divergence_pictures import FormatLimit, feeding, format_limits
from trt_core.domain.divergence import LayerDivergence
from trt_core.workbench import Workbench


def show_layer(bench: Workbench, view: RunView, position: int) -> None:
    """Draw the layer at that position of the run."""
    layer = view.run.layers[position]
    with st.container(border=True):
        st.markdown(
            f"**Layer {position}** {text.code(layer.name)} ({text.plain(layer.op_type)}), "
            f"tensor {text.code(layer.tensor)}"
        )
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            _values(bench, view, layer)
        with right:
            st.markdown("**Errors**")
            show_table(error_rows(layer), key="divergence.layer_errors", filename=f"{view.run.id}-{layer.index}.csv")
            st.markdown("**What feeds it**")
            sources = feeding(view.graph, view.run, layer.index)
            if sources:
                rows = [row for source in sources for row in _source_rows(source)]
                show_table(rows, key="divergence.layer_inputs", filename=f"{view.run.id}-{layer.index}-inputs.csv")
            else:
                st.caption("Only inputs of the model and constants, which are exact.")


def limits_of(bench: Workbench, view: RunView, layer: LayerDivergence) -> tuple[FormatLimit, ...]:
    """The limits of the formats that matter for this layer."""
    return format_limits(layer, bench.divergence.scales(view.run))


def _values(bench: Workbench, view: RunView, layer: LayerDivergence) -> None:
    if not layer.histograms:
        st.caption("No values were sampled for this layer.")
        return
    limits = limits_of(bench, view, layer)
    draw_chart(
        values_figure(view.run, layer, limits),
        key="divergence.values",
        filename=f"{view.run.id}-{layer.index}-values",
    )
    ranges = [
        f"{precision_label(item.label)} {text.figure(item.low)} to {text.figure(item.high)}"
        for item in layer.histograms
    ]
    st.caption(f"A strided sample of the values. Seen: {'; '.join(ranges)}.")
    for limit in limits:
        step = f", in steps of {text.figure(limit.step)}" if limit.step else ""
        st.caption(f"{precision_label(limit.precision)} holds up to ±{text.figure(limit.largest)}{step}.")


def error_rows(layer: LayerDivergence) -> list[dict[str, Any]]:
    """One row a precision, accumulated and isolated."""
    return [
        {"precision": precision_label(label), "error": kind, "SQNR": sqnr(error.sqnr_db)} | metric_cells(error)
        for kind, errors in (("accumulated", layer.accumulated), ("isolated", layer.isolated))
        for label, error in errors
    ]


def _source_rows(source: LayerDivergence) -> list[dict[str, Any]]:
    return [
        {
            "layer": source.name,
            "op": source.op_type,
            "precision": precision_label(label),
            "SQNR": sqnr(error.sqnr_db),
            "rel L2": error.rel_l2,
        }
        for label, error in source.accumulated or source.isolated
    ]
