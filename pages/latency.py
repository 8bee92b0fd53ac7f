"""Latency: measure what runs here, keep every sample, compare up to six runs."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.expanders import show_expander
from pages.ui.frame import frame
from pages.ui.jobs import is_under_way, job_panel, result_query
from pages.ui.latency_form import latency_form
from pages.ui.latency_runs import MOST_RUNS, run_views
from pages.ui.latency_view import choose_runs, compared, show_runs
from pages.ui.pickers import check_run
from pages.ui.report import report_button
from pages.ui.report_latency import latency_report
from pages.ui.sample_offer import model_or_sample
from pages.ui.state import select, selected, selected_many
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.jobs import Job

_PROMISE = "Here an inference is timed: every sample kept, percentiles with their intervals, up to six runs on a plot."


def _finished(job: Job) -> None:
    """Show the run that was made, beside those that the reader had put on the plots."""
    made = result_query(job)
    kept = [run_id for run_id in selected_many("runs", ArtifactKind.LATENCY) if run_id != made["latency"]]
    runs = [*kept[: MOST_RUNS - 1], made["latency"]] if kept else []
    select({"job": "", "runs": ",".join(runs)} | made)
    st.rerun()


with frame("Latency", page="latency") as bench:
    model = model_or_sample(bench, page="latency", promise=_PROMISE)
    if model is not None:
        heads = bench.latency.heads(model.id)
        form = partial(latency_form, bench, model)
        show_expander("New measurement", form, key="latency.new", icon=":material/timer:", expanded=not heads)
        job_panel(bench, selected("job"), on_success=_finished)
        if not heads and not is_under_way(bench, selected("job")):
            st.info(f"{_PROMISE} There is no run of this model yet: press Measure.")
        elif heads:
            shown = selected_many("runs", ArtifactKind.LATENCY) or (selected("latency") or heads[0].id,)
            choose_runs(bench, heads, shown)
            for run_id in shown:
                check_run(run_id, [head.id for head in heads])
            views = run_views(bench, shown[:MOST_RUNS])
            comparisons = compared(bench, views)
            show_runs(views, comparisons)
            report_button(lambda: latency_report(bench, views, comparisons), page="latency", name=views[0].run.id)
