"""Divergence: FP32 against lower precisions, layer by layer, and where the loss begins."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.divergence_form import divergence_form
from pages.ui.divergence_run import run_view
from pages.ui.divergence_view import choose_run, show_run
from pages.ui.expanders import show_expander
from pages.ui.frame import frame
from pages.ui.inside_view import inside_section
from pages.ui.jobs import is_under_way, job_panel, show_result
from pages.ui.pickers import check_run
from pages.ui.report import report_button
from pages.ui.report_divergence import divergence_report
from pages.ui.sample_offer import model_or_sample
from pages.ui.seen import show_when_seen
from pages.ui.state import selected

_PROMISE = "Here a model in FP16 or INT8 is held against FP32, layer by layer, to see where precision is lost."


with frame("Divergence", page="divergence") as bench:
    model = model_or_sample(bench, page="divergence", promise=_PROMISE, sample="digits_transformer")
    if model is not None:
        heads = bench.divergence.heads(model.id)
        form = partial(divergence_form, bench, model)
        show_expander("New comparison", form, key="divergence.new", icon=":material/ssid_chart:", expanded=not heads)
        job_panel(bench, selected("job"), on_success=show_result)
        if not heads and not is_under_way(bench, selected("job")):
            st.info(f"{_PROMISE} There is no run of this model yet: press Compare.")
        shown = None
        if heads:
            chosen = selected("divergence") or heads[0].id
            choose_run(heads, chosen)
            check_run(chosen, [head.id for head in heads])
            view = run_view(bench, chosen)
            show_run(bench, view)
            report_button(lambda: divergence_report(bench, view), page="divergence", name=view.run.id)
            shown = view.run
        inside = partial(inside_section, bench, model, shown)
        show_when_seen(inside, key="divergence.inside", height=520, at_once=bool(selected("inside")))
