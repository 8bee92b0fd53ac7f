"""The latency samples of a recorded engine, drawn as those that were measured here."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.findings import show_findings
from pages.ui.latency_charts import ecdf_figure, histogram_figure, time_figure
from pages.ui.latency_runs import RunView
from pages.ui.latency_violin import violin_figure
from trt_core.analysis.latency import summarize
from trt_core.analysis.latency_findings import run_findings
from trt_core.domain.latency import LatencyConditions, LatencyRun
from trt_core.domain.recordings import EngineStudy


def show_samples(study: EngineStudy) -> None:
    """Distribution and course of the samples."""
    if len(study.samples_ms) < 2:
        st.info("No samples were recorded. trtexec writes them with --exportTimes.")
        return
    view = _view(study)
    found = view.summary
    st.markdown(
        f"p50 {text.milliseconds(found.p50_ms)} ({text.interval(found.p50_ci95_ms, 'ms')}), "
        f"p99 {text.milliseconds(found.p99_ms)} ({text.interval(found.p99_ci95_ms, 'ms')}), "
        f"{text.counted(found.count, 'sample')}."
    )
    draw_chart(ecdf_figure([view]), key="engines.ecdf", filename=f"{study.id}-ecdf")
    left, middle, right = st.columns(3)
    with left:
        draw_chart(histogram_figure([view]), key="engines.histogram", filename=f"{study.id}-histogram")
    with middle:
        draw_chart(violin_figure([view]), key="engines.violin", filename=f"{study.id}-violin")
    with right:
        draw_chart(time_figure([view]), key="engines.over_time", filename=f"{study.id}-over-time")
    show_findings(view.run.findings)


@st.cache_resource(max_entries=8, show_spinner=False)
def _view_of(_study: EngineStudy, engine_id: str) -> RunView:
    conditions = LatencyConditions(
        device=_study.device or "a device that the files do not name",
        backend="tensorrt",
        backend_version="",
        method=_study.stamp,
        shapes=_inputs(_study),
        batch=max(_study.batch, 1),
        threads=0,
        warmup=0,
    )
    run = LatencyRun(
        id=engine_id,
        subject_id=engine_id,
        model_id="",
        label=_study.title,
        created_at=0.0,
        conditions=conditions,
        samples_ms=_study.samples_ms,
        warmup_ms=(),
        wall_s=sum(_study.samples_ms) / 1000.0,
        enqueue_ms=_study.enqueue_ms,
    )
    summary = summarize(run.samples_ms, wall_s=run.wall_s, batch=conditions.batch)
    run = LatencyRun(**{**run.__dict__, "findings": run_findings(run)})
    return RunView(run=run, summary=summary, precision=_study.asked, letter="A", order=0)


def _inputs(study: EngineStudy) -> tuple[tuple[str, tuple[int, ...]], ...]:
    written = {tensor.name for layer in study.record.layers for tensor in layer.outputs}
    return tuple((tensor.name, tensor.shape) for tensor in study.record.io_tensors if tensor.name not in written)


def _view(study: EngineStudy) -> RunView:
    return _view_of(study, study.id)
