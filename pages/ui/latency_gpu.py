"""What belongs to runs on a GPU: its clocks, temperature, power and neighbours, and the files of trtexec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_files import download_files
from pages.ui.latency_runs import RunView, stamp_of
from pages.ui.stamp import HALF, stamp
from pages.ui.tables import show_table
from pages.ui.theme import plot_layout
from trt_core.domain.latency import GpuSample
from trt_core.services.trtexec_export import files_of_run, why_no_files

_SERIES: tuple[tuple[str, Callable[[GpuSample], float | None]], ...] = (
    ("SM clock, MHz", lambda sample: sample.sm_mhz),
    ("temperature, °C", lambda sample: sample.temperature_c),
    ("power, W", lambda sample: sample.power_w),
    ("other processes", lambda sample: sample.other_processes),
)


def show_gpu(views: Sequence[RunView], name: str) -> None:
    """The GPU beside the runs, sampled through NVML; where nothing was sampled, why."""
    sampled = [view for view in views if view.run.gpu]
    if not sampled:
        st.caption("No run here was measured on a GPU whose driver was asked for its clocks.")
        return
    columns = [*st.columns(2), *st.columns(2)]
    for (title, of), column in zip(_SERIES, columns, strict=True):
        with column:
            key = title.partition(",")[0].replace(" ", "-")
            draw_chart(_figure(sampled, title, of), key=f"latency.gpu.{key}", filename=f"{name}-{key}")
    st.caption("Ten samples a second by a thread of the measurement. The first one may show a GPU that was idle.")
    show_table(_rows(sampled), key="latency.gpu", filename=f"{name}-gpu.csv", height=320)


def _figure(views: Sequence[RunView], title: str, of: Callable[[GpuSample], float | None]) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    for view in views:
        figure.add_scatter(
            x=[sample.at_s for sample in view.run.gpu],
            y=[of(sample) for sample in view.run.gpu],
            mode="lines+markers",
            name=view.name,
            line={"color": view.colour, "dash": view.dash, "width": 1.6, "shape": "hv"},
            marker={"symbol": view.symbol, "size": 5},
            hovertemplate=f"{view.name}<br>%{{y:,.4g}} after %{{x:.3g}} s<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=260, hovermode="closest"))
    figure.update_xaxes(title="seconds from the first sample")
    figure.update_yaxes(title=title, rangemode="tozero")
    return stamp(figure, stamp_of(views), line=HALF)


def _rows(views: Sequence[RunView]) -> list[dict[str, Any]]:
    return [
        {
            "run": view.name,
            "s": round(sample.at_s, 3),
            "SM, MHz": sample.sm_mhz,
            "memory, MHz": sample.memory_mhz,
            "°C": sample.temperature_c,
            "W": sample.power_w,
            "other processes": sample.other_processes,
            "held back by": ", ".join(sample.held_back_by),
        }
        for view in views
        for sample in view.run.gpu
    ]


def trtexec_files(views: Sequence[RunView]) -> None:
    """The files of trtexec for the first run that was measured in TensorRT, or why there are none."""
    run = next((view.run for view in views if not why_no_files(view.run)), None)
    if run is None:
        st.caption(f"No files of trtexec: {why_no_files(views[0].run)}")
        return
    files = files_of_run(run)
    download_files(lambda: files, list(files), key="latency.files_json")
    st.caption(f"Of {text.plain(run.label)}, as trtexec writes them. Only durations were kept: they lie end to end.")
