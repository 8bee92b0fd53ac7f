"""Support: which nodes the compiler takes, how far that is proved, and what to do about the others."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.findings import show_findings
from pages.ui.frame import frame
from pages.ui.jobs import is_under_way, job_panel
from pages.ui.pickers import pick_backend, pick_model, pick_target
from pages.ui.report import report_button
from pages.ui.report_support import support_report
from pages.ui.sample_offer import offer_sample
from pages.ui.state import select, selected
from pages.ui.support_report import is_worth_asking, show_report
from trt_core.domain.requests import InspectSpec

with frame("Support", page="support") as bench:
    if not bench.library.models():
        offer_sample(
            bench, page="support", promise="Which nodes the compiler takes will be here, and why not the others."
        )
        st.stop()
    model = pick_model(bench, page="support")
    if model is not None:
        left, right = st.columns(2)
        with left:
            backend = pick_backend(bench, page="support")
        with right:
            target = pick_target(backend, page="support")
        prove = st.toggle(
            "Prove it by a build",
            value=True,
            key="support.prove",
            help="The parser's yes is no proof. A build of the FP32 file settles it: seconds for ResNet-50, minutes "
            "for thousands of nodes.",
        )
        spec = InspectSpec(model_id=model.id, backend=backend.backend, target=target, prove=prove)
        found = bench.support.find(InspectSpec(model_id=model.id, backend=backend.backend, target=target))
        busy = is_under_way(bench, selected("job"))
        if st.button(
            "Check support" if found is None else "Prove it",
            key="support.check",
            type="primary" if found is None else "secondary",
            disabled=busy or not backend.can_parse or not is_worth_asking(bench, spec),
            help=backend.why_not("parse") or "An answer is kept: the same question is not asked twice.",
        ):
            select({"job": bench.support.submit(spec).id})
            st.rerun()
        job_panel(bench, selected("job"))
        if found is not None:
            show_report(bench, model, found)
            report_button(partial(support_report, bench, model, found), page="support", name=model.id)
        elif not busy:
            st.info("Not asked yet for this target. The answer will be here, node by node: check support.")
            st.subheader("What the file itself tells", anchor=False)
            show_findings(bench.support.model_findings(model.id))
