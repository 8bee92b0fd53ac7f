"""The roofline of an engine: its layers against what the device can do, measured where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from pages.ui import text
from pages.ui.bench import workbench
from pages.ui.chart import draw_chart
from pages.ui.engine_charts import roofline_figure
from pages.ui.stamp import stamp
from trt_core.analysis.engine_layers import LayerRow
from trt_core.analysis.roofline import Bound, RoofPoint, roofline
from trt_core.domain.device_rates import SHEETS, DeviceRates, rates_of
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy

_MEASURED, _SHEET = "Measured", "Data sheet"


def show_roofline(study: EngineStudy, rows: Sequence[LayerRow]) -> None:
    """Layers under the roofs, and by what their time is bound; nothing without layer times."""
    if not study.has_times:
        return
    with st.expander("Roofline", icon=":material/show_chart:", expanded=True):
        rates = _rates(study)
        points = roofline(rows, rates)
        figure = stamp(roofline_figure(points, rates), [roof_sentence(study, rates), study.stamp])
        draw_chart(figure, key="engines.roofline", filename=f"{study.id}-roof")
        st.caption(text.plain(bound_sentence(points)))


def bound_sentence(points: Sequence[RoofPoint]) -> str:
    """By what the layers' time is bound, as plain text."""
    total = sum(point.time_ms for point in points) or 1.0
    spent = {bound: sum(point.time_ms for point in points if point.bound is bound) for bound in Bound}
    shares = ", ".join(f"{text.percent(ms / total)} by {bound.value}" for bound, ms in spent.items() if ms)
    return (
        f"Bound, by time: {shares}. Bytes are inputs, outputs and weights, each counted once; what stays in the cache "
        "looks better than it is."
    )


def roof_sentence(study: EngineStudy, rates: DeviceRates) -> str:
    """Whose roofs are drawn, as plain text."""
    unknown = "" if rates_of(study.device) else " The files name no known device: these are another one's."
    return f"Roofs: {rates.label}.{unknown}"


def default_rates(study: EngineStudy) -> DeviceRates:
    """The rates of the study's device, measured ones first; those of the largest known device where it is unknown."""
    return rates_of(study.device, measured=workbench().device.measured()) or SHEETS[0]


def _rates(study: EngineStudy) -> DeviceRates:
    known, sheet = default_rates(study), rates_of(study.device, measured=()) or SHEETS[0]
    if known.is_measured:
        chosen = st.segmented_control("Roofs", [_MEASURED, _SHEET], default=_MEASURED, key="engines.roofs")
        known = sheet if chosen == _SHEET else known
    name = "measured" if known.is_measured else "sheet"
    left, right = st.columns(2)
    bandwidth = left.number_input(
        "Bandwidth, GB/s", min_value=1.0, value=known.bandwidth_gb_s, key=f"engines.bandwidth.{name}", step=50.0
    )
    usual = (known.ops_per_s(Precision.FP16) or 1e12) / 1e12
    rate = right.number_input(
        "Matrix rate in FP16, tera-operations/s", min_value=0.1, value=usual, key=f"engines.rate.{name}", step=10.0
    )
    if abs(rate / usual - 1) < 1e-9 and abs(bandwidth / known.bandwidth_gb_s - 1) < 1e-9:
        return known
    scaled = tuple((precision, ops * rate / usual) for precision, ops in known.tera_ops)
    return replace(
        known, bandwidth_gb_s=bandwidth, tera_ops=scaled, source="given by you", conditions="", is_measured=False
    )
