"""Triage: from a variant that lost accuracy to a mixed-precision plan that has not."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import frame
from pages.ui.jobs import job_panel, result_query
from pages.ui.pickers import pick_model
from pages.ui.sample_offer import offer_sample
from pages.ui.state import select, selected
from pages.ui.triage_form import triage_form
from pages.ui.triage_plans import plan_upload
from pages.ui.triage_view import choose_run, show_run
from pages.ui.validation_card import show_validations
from trt_core.domain.jobs import Job

_PROMISE = "Here a model that loses accuracy in INT8 or FP16 gets a plan: the few nodes to keep, proven on labels."


def _finished(job: Job) -> None:
    select({"job": ""} | result_query(job))
    st.rerun()


with frame("Triage", page="triage") as bench:
    model = None
    if bench.library.models():
        model = pick_model(bench, page="triage")
    else:
        offer_sample(bench, page="triage", promise=_PROMISE, sample="digits_transformer")
    if model is not None:
        heads = bench.triage.heads(model.id)
        with st.expander("New search", icon=":material/troubleshoot:", expanded=not heads):
            triage_form(bench, model)
        job_panel(bench, selected("job"), on_success=_finished)
        run = None
        if not heads:
            st.info(f"{_PROMISE} There is no search of this model yet: press Find a plan.")
        else:
            chosen = selected("triage") or heads[0].id
            choose_run(heads, chosen)
            run = bench.triage.run(chosen)
            show_run(bench, run)
        plan_upload(bench, model, run)
        show_validations(bench, model)
