"""Build: choose a precision and shapes, compile, and see what the engine really runs in."""

from __future__ import annotations

import streamlit as st

from pages.ui.build_form import build_form
from pages.ui.build_result import show_answer, show_build, show_history
from pages.ui.build_summary import show_summary
from pages.ui.frame import frame
from pages.ui.jobs import job_panel, result_query
from pages.ui.pickers import pick_model
from pages.ui.sample_offer import offer_sample
from pages.ui.state import select, selected
from trt_core.domain.jobs import Job

_PROMISE = (
    "Here a model becomes an engine: precision, calibration and shapes on the left, what will happen on the right."
)


def _finished(job: Job) -> None:
    """Put what the job made into the address, so that the link shows the result after the job is forgotten."""
    select({"job": ""} | result_query(job))
    st.session_state["build.cached"] = result_query(job).get("build") if (job.result or {}).get("cached") else ""
    st.rerun()


with frame("Build", page="build") as bench:
    model = None
    if bench.library.models():
        model = pick_model(bench, page="build")
    else:
        offer_sample(bench, page="build", promise=_PROMISE)
    if model is not None:
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            wish = build_form(bench, model)
        build_id = selected("build")
        with right:
            job_panel(bench, selected("job"), on_success=_finished)
            show_answer(bench, build_id)
            show_summary(bench, model, wish)
        if build_id:
            cached = st.session_state.get("build.cached") == build_id
            show_build(bench, bench.builds.build(build_id), cached=cached)
        builds = bench.builds.builds(model.id)
        if builds:
            show_history(builds, current=build_id)
