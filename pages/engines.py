"""Engines: where the time goes, why two differ, what auto-tuning tried, where memory goes."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui.engine_attempts import show_attempts
from pages.ui.engine_files import show_files, show_ranges
from pages.ui.engine_memory_view import memory_sentence, show_memory
from pages.ui.engine_pick import intake, offer_recordings, pick_engine, pick_view, study_of
from pages.ui.engine_samples import show_samples
from pages.ui.engine_stories import show_stories
from pages.ui.engine_tactics import show_tactics, tactics_sentence
from pages.ui.engine_two import show_comparison
from pages.ui.engine_view import show_answer, show_layers, show_lint, show_time
from pages.ui.frame import frame
from pages.ui.jobs import is_under_way, job_panel, show_result
from pages.ui.report import report_button
from pages.ui.report_engine import engine_report
from pages.ui.state import selected
from trt_core.domain.recordings import EngineStudy

_PROMISE = "Here an engine is taken apart: time by layer, tactics, memory, and why another one is faster."
_VIEWS: dict[str, Callable[[EngineStudy], None]] = {
    "Where the time goes": show_time,
    "Tactics": show_tactics,
    "Memory": show_memory,
    "Layers": show_layers,
    "Findings": show_lint,
    "Samples": show_samples,
    "Ranges": show_ranges,
    "Files": show_files,
}
_SENTENCES: dict[str, Callable[[EngineStudy], str]] = {"Tactics": tactics_sentence, "Memory": memory_sentence}
_COMPARE, _ATTEMPTS = "Why they differ", "Attempts"


def _views(study: EngineStudy) -> list[str]:
    return [name for name in _VIEWS if name != "Ranges" or study.calibration_cache]


with frame("Engines", page="engines") as bench:
    job_panel(bench, selected("job"), on_success=show_result)
    entries = bench.engines.entries()
    if not entries and not is_under_way(bench, selected("job")):
        offer_recordings(bench, promise=_PROMISE)
    elif entries:
        left, right = st.columns(2)
        with left:
            engine = pick_engine(entries, name="engine", label="Engine")
        with right:
            others = [entry for entry in entries if entry.id != engine]
            against = pick_engine(others, name="against", label="Compare with", optional=True) if others else ""
        study = study_of(bench, engine)
        attempts = [] if study.id.startswith("r-") else [_ATTEMPTS]
        shown = pick_view([*([_COMPARE] if against else []), *_views(study), *attempts])
        other = study_of(bench, against) if against else None
        if other is not None and shown == _COMPARE:
            show_comparison(study, other)
        elif shown == _ATTEMPTS:
            show_attempts(bench, study)
        else:
            show_answer(study, _SENTENCES[shown](study) if shown in _SENTENCES else "")
            _VIEWS[shown](study)
        report_button(lambda: engine_report(bench, study, other), page="engines", name=study.id)
        st.caption("What the recordings of an H200 tell")
        show_stories(bench)
    intake(bench, is_empty=not entries)
