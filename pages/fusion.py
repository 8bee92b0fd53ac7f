"""Fusion: which nodes became which engine layers, both ways, and why."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.frame import frame
from pages.ui.fusion_compare import compare_normalization
from pages.ui.fusion_times import choose_measure, times_of
from pages.ui.fusion_view import fusion_of, show_answer, show_details, show_layers
from pages.ui.jobs import job_panel, show_result
from pages.ui.pickers import pick_build, pick_model
from pages.ui.report import report_button
from pages.ui.report_fusion import build_report
from pages.ui.sample_offer import offer_build, offer_sample
from pages.ui.seen import show_when_seen
from pages.ui.state import selected
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.fusion import FusionMap
from trt_core.workbench import Workbench

_PROMISE = "Here every node of a model is shown with the engine layer that it became."


def _below(bench: Workbench, build: BuildRecord, fusion: FusionMap) -> None:
    compare_normalization(bench, build)
    report_button(partial(build_report, bench, build, fusion), page="fusion", name=build.id)


with frame("Fusion", page="fusion") as bench:
    model = build = None
    if not bench.library.models():
        offer_sample(bench, page="fusion", promise=_PROMISE)
    else:
        left, right = st.columns(2)
        with left:
            model = pick_model(bench, page="fusion")
        with right:
            build = pick_build(bench, model.id, page="fusion") if model is not None else None
    job_panel(bench, selected("job"), on_success=show_result)
    if build is not None:
        fusion = fusion_of(bench, build.id)
        show_answer(fusion)
        times = times_of(bench, build, fusion)
        times_ms = times.ms if times is not None and choose_measure(times) else None
        show_layers(fusion, times_ms)
        show_details(bench, fusion, build, times_ms)
        below = partial(_below, bench, build, fusion)
        show_when_seen(below, key="fusion.below", height=220, at_once=bool(selected("job")))
    elif model is not None and not selected("build"):  # a dead link has its own box
        offer_build(bench, model, page="fusion", promise=_PROMISE)
