"""Build: choose a precision and shapes, compile, and see what the engine really runs in."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.build_again import offer_again
from pages.ui.build_form import build_form
from pages.ui.build_result import asked_build, history_px, show_answer, show_build, show_history
from pages.ui.build_summary import show_summary
from pages.ui.frame import frame
from pages.ui.jobs import job_panel, result_query, show_result
from pages.ui.report import Report, report_button
from pages.ui.report_fusion import build_report
from pages.ui.sample_offer import model_or_sample
from pages.ui.seen import show_when_seen
from pages.ui.state import selected
from trt_core.domain.artifacts import BuildRecord, ModelRecord
from trt_core.domain.jobs import Job
from trt_core.workbench import Workbench

_PROMISE = (
    "Here a model becomes an engine: precision, calibration and shapes on the left, what will happen on the right."
)


def _finished(job: Job) -> None:
    made = result_query(job).get("build")
    st.session_state["build.made"] = made
    st.session_state["build.cached"] = made if (job.result or {}).get("cached") else ""
    show_result(job)


def _report(bench: Workbench, build: BuildRecord) -> Report:
    return build_report(bench, build, bench.builds.fusion(build.id))


def _result(bench: Workbench, model: ModelRecord, build: BuildRecord) -> None:
    show_build(bench, build, cached=st.session_state.get("build.cached") == build.id)
    offer_again(bench, model, build)
    report_button(partial(_report, bench, build), page="build", name=build.id)


with frame("Build", page="build") as bench:
    model = model_or_sample(bench, page="build", promise=_PROMISE)
    if model is not None:
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            wish = build_form(bench, model)
        with wish.at_button:
            job_panel(bench, selected("job"), on_success=_finished)
        with right:
            build = asked_build(bench)
            if build is not None:
                show_answer(build)
            show_summary(bench, model, wish)
        if build is not None and build.id == st.session_state.get("build.made"):
            with wish.at_button:
                show_answer(build)
        if build is not None:
            result = partial(_result, bench, model, build)
            show_when_seen(result, key="build.result", height=1500, at_once="tab" in st.query_params)
        builds = bench.builds.builds(model.id)
        if builds:
            show_when_seen(
                partial(show_history, builds, selected("build")), key="build.builds", height=history_px(builds)
            )
