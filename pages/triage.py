"""Triage: from a variant that lost accuracy to a mixed-precision plan that has not."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.expanders import show_expander
from pages.ui.frame import frame
from pages.ui.jobs import job_panel, show_result
from pages.ui.report import report_button
from pages.ui.report_triage import triage_report
from pages.ui.sample_offer import model_or_sample
from pages.ui.sensitivity_form import sensitivity_form
from pages.ui.sensitivity_view import choose_sensitivity, sensitivity_view, show_sensitivity
from pages.ui.state import selected
from pages.ui.triage_form import triage_form
from pages.ui.triage_plans import plan_upload
from pages.ui.triage_view import choose_run, show_run, stored_run
from pages.ui.validation_card import show_validations
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.jobs import Job, JobKind
from trt_core.workbench import Workbench

_PROMISE = "Here a model that loses accuracy in INT8 or FP16 gets a plan: the few nodes to keep, proven on labels."
_BESIDE = "Here every layer's errors in FP16, INT8 and more stand beside each other, with each backend's answer."
_VIEWS = {"plan": "Find a plan", "beside": "Precisions side by side"}
_VIEW = "triage.view"


def _finished(job: Job) -> None:
    st.session_state["triage.next_view"] = "beside" if job.kind is JobKind.SENSITIVITY else "plan"
    show_result(job)


def _chosen_view() -> str:
    if "triage.next_view" in st.session_state:
        st.session_state[_VIEW] = st.session_state.pop("triage.next_view")
    elif _VIEW not in st.session_state:
        st.session_state[_VIEW] = "beside" if selected("sensitivity") and not selected("triage") else "plan"
    st.segmented_control("View", list(_VIEWS), key=_VIEW, format_func=_VIEWS.__getitem__, required=True)
    return str(st.session_state[_VIEW])


def _beside(bench: Workbench, model: ModelRecord) -> None:
    heads = bench.sensitivity.heads(model.id)
    form = partial(sensitivity_form, bench, model)
    show_expander("New measurement", form, key="sensitivity.new", icon=":material/view_column:", expanded=not heads)
    job_panel(bench, selected("job"), on_success=_finished)
    if not heads:
        st.info(f"{_BESIDE} There is no measurement of this model yet: press Measure side by side.")
        return
    chosen = selected("sensitivity") or heads[0].id
    choose_sensitivity(heads, chosen)
    show_sensitivity(bench, sensitivity_view(bench, chosen))


def _plan(bench: Workbench, model: ModelRecord) -> None:
    heads = bench.triage.heads(model.id)
    form = partial(triage_form, bench, model)
    show_expander("New search", form, key="triage.new", icon=":material/troubleshoot:", expanded=not heads)
    job_panel(bench, selected("job"), on_success=_finished)
    run = None
    if not heads:
        st.info(f"{_PROMISE} There is no search of this model yet: press Find a plan.")
    else:
        chosen = selected("triage") or heads[0].id
        choose_run(heads, chosen)
        run = stored_run(bench, chosen)
        shown = show_run(bench, run)
        report_button(lambda: triage_report(bench, shown), page="triage", name=run.id)
    plan_upload(bench, model, run)
    show_validations(bench, model)


with frame("Triage", page="triage") as bench:
    model = model_or_sample(bench, page="triage", promise=_PROMISE, sample="digits_transformer")
    if model is not None:
        (_beside if _chosen_view() == "beside" else _plan)(bench, model)
