"""The calibration lab on screen: methods side by side, samples against error, drift."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.tables import Row, show_table
from pages.ui.theme import NEUTRAL, PRECISION_LABELS, plot_layout
from trt_core.domain.calibration_lab import CalibrationLab
from trt_core.domain.precision import CalibrationMethod
from trt_core.domain.triage import TriageRun

_DASHES = {
    CalibrationMethod.MINMAX: "solid",
    CalibrationMethod.ENTROPY: "dash",
    CalibrationMethod.PERCENTILE: "dot",
}


def show_lab(run: TriageRun) -> None:
    """The picture and the table; without a lab, how to get one."""
    if not run.plan.recipe.needs_data:
        st.caption(f"{PRECISION_LABELS[run.plan.recipe.precision]} has no ranges to calibrate.")
        return
    if run.lab is None:
        st.caption("Switch on Compare calibration methods in the form to see them side by side.")
        return
    lab, method = run.lab, run.lab.best_method().value.capitalize()
    st.markdown(
        f"**{method}** leaves the least error of rounding to {PRECISION_LABELS[lab.precision]}, in the mean over all "
        f"tensors, on {lab.validation_samples:,} validation samples, after {lab.calibration_samples:,} calibration "
        f"samples. Percentile is the {lab.percentile:g}th. The least rounding error is not always the best accuracy: "
        "validate what you choose."
    )
    draw_chart(samples_figure(lab), key="triage.lab", filename=f"{run.id}-lab")
    show_table(lab_rows(lab), key="triage.lab_table", filename=f"{run.id}-lab.csv", height=420)


def samples_figure(lab: CalibrationLab) -> Any:
    """Mean SQNR of all calibrated tensors against the number of calibration samples, a line a method."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for method, dash in _DASHES.items():
        steps = [step for step in lab.steps if step.method is method]
        figure.add_scatter(
            x=[step.samples for step in steps],
            y=[step.sqnr_db for step in steps],
            mode="lines+markers",
            line={"dash": dash, "color": NEUTRAL},
            name=method.value,
        )
    figure.update_layout(**plot_layout(height=320))
    figure.update_xaxes(title="calibration samples", type="log")
    figure.update_yaxes(title="mean SQNR on validation values, dB")
    return figure


def lab_rows(lab: CalibrationLab) -> list[Row]:
    """One row a tensor: ranges, clipping and error by every method, the drift, and how far apart the two sets lie."""
    rows: list[Row] = []
    for item in lab.tensors:
        row: dict[str, Any] = {"Tensor": item.tensor, "Drift": text.ratio(item.drift)}
        row["Distance"] = text.percent(item.distance)
        for found in item.methods:
            name = found.method.value
            row[f"{name} range"] = text.figure(found.high)
            row[f"{name} clipped"] = text.percent(found.clipped_share)
            row[f"{name} SQNR, dB"] = None if found.sqnr_db is None else round(found.sqnr_db, 1)
        rows.append(row)
    return rows
