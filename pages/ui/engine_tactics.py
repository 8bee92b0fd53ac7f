"""The auto-tuning explorer: every tactic that was timed, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_detail_charts import tactic_figure
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics
from pages.ui.stamp import stamp
from pages.ui.tables import show_table
from trt_core.analysis.tactics import CLOSE, LayerTuning, layer_tunings, tuning_findings
from trt_core.domain.recordings import EngineStudy
from trt_core.domain.tactics import TrialState, Tuning

_CHOSEN = "engines.tuned"


@st.cache_resource(max_entries=8, show_spinner=False)
def _tunings(_study: EngineStudy, engine_id: str) -> tuple[LayerTuning, ...]:
    del engine_id
    tactics = [fact.tactic for fact in _study.facts] or None
    return layer_tunings(_study.tuning or Tuning(), _study.record, tactics)


def tactics_sentence(study: EngineStudy, *, say: Callable[[str], str] = text.code) -> str:
    """What auto-tuning tried and chose, in a sentence; `say` makes the engine's name harmless."""
    tuning, tunings = study.tuning, tunings_of(study)
    if tuning is None or not tunings:
        return f"The log of {say(study.title)} holds no auto-tuning."
    spent = sum(trial.seconds for trial in tuning.trials)
    close = sum(item.gap is not None and not item.like and item.gap < CLOSE for item in tunings)
    return (
        f"{text.count(tuning.timing_count)} tactics were timed for {say(study.title)} in {text.seconds(spent)}; in "
        f"{text.counted(close, 'layer')} the second was within {text.percent(CLOSE)} of the chosen one."
    )


def show_tactics(study: EngineStudy) -> None:
    """Candidates, choice, second, time spent; then one layer in full."""
    tuning = study.tuning
    if tuning is None or not tuning.timing_count:
        st.info(
            "There is no auto-tuning in this engine's log. A verbose log of TensorRT 8 to 11 holds it; TensorRT-RTX "
            "compiles ahead of time and times nothing."
        )
        return
    tunings = _tunings(study, study.id)
    _cards(tuning)
    figure = stamp(tactic_figure([item for item in tunings if item.candidates]), [study.stamp])
    draw_chart(figure, key="engines.tactics", filename=f"{study.id}-tactics")
    st.caption(
        "One column a layer. Below 1: a faster tactic in other formats, not taken because data would have to be "
        "reformatted for it. Layers that were not timed show the timings of the identical layer."
    )
    _layers(study, [item for item in tunings if item.candidates or item.tactic.strip("0x")])
    show_findings(tuning_findings(tunings, tuning))


def _cards(tuning: Tuning) -> None:
    spent = sum(trial.seconds for trial in tuning.trials)
    states = [trial.state for trial in tuning.trials]
    reused = states.count(TrialState.REUSED)
    known = f"{tuning.cache_loaded} entries were loaded, {tuning.cache_stored} stored."
    metrics(
        [
            Metric(label="Tactics timed", value=text.count(tuning.timing_count), how="In all builds of the log."),
            Metric(label="Time spent timing", value=text.seconds(spent), how="As the builder says, runner by runner."),
            Metric(
                label="Selection in all",
                value=text.seconds(sum(tuning.selection_s)),
                how="Formats and tactics selection; with calibration a log holds two builds.",
            ),
            Metric(
                label="Combinations",
                value=text.count(len(states)),
                how="Layers times tensor formats that auto-tuning looked at.",
            ),
            Metric(
                label="Not timed again",
                value=text.percent(reused / max(len(states), 1)),
                how=f"Known from the timing cache or an identical layer, or nothing to time. {known}",
            ),
        ]
    )


def tunings_of(study: EngineStudy) -> tuple[LayerTuning, ...]:
    """Auto-tuning by layer, empty where the log has none."""
    return _tunings(study, study.id) if study.tuning is not None and study.tuning.timing_count else ()


def tuned_rows(tunings: Sequence[LayerTuning]) -> list[dict[str, object]]:
    """Tuned layers as plain values."""
    return [
        {
            "layer": item.layer,
            "candidates": len(item.candidates),
            "chosen, µs": round(item.chosen.time_ms * 1000, 2) if item.chosen else None,
            "second, %": round(item.gap * 100, 1) if item.gap is not None else None,
            "other formats, %": _elsewhere(item),
            "combinations": item.combinations,
            "not timed": item.reused,
            "no tactic": item.impossible,
            "spent, ms": round(item.seconds * 1000, 1),
            "timed as": item.like,
            "chosen tactic": item.chosen.kernel or item.tactic if item.chosen else item.tactic,
        }
        for item in tunings
    ]


def _elsewhere(item: LayerTuning) -> float | None:
    """How much less time the fastest tactic in other formats takes: what its reformats would have to cost less than."""
    best = item.faster_elsewhere
    if best is None or item.chosen is None:
        return None
    return round((best.time_ms / item.chosen.time_ms - 1.0) * 100, 1)


def _layers(study: EngineStudy, tunings: list[LayerTuning]) -> None:
    place = show_table(
        tuned_rows(tunings), key=_CHOSEN, filename=f"{study.id}-tactics.csv", height=360, selectable=True
    )
    if place is None:
        st.caption("Choose a row to see every candidate of that layer.")
        return
    item = tunings[place]
    st.markdown(f"**{text.code(item.layer)}**")
    candidates = [
        {
            "": "◆ chosen" if candidate.chosen else "same formats" if candidate.fits else "",
            "µs": round(candidate.time_ms * 1000, 3),
            "kernel": candidate.kernel or candidate.tactic,
            "formats": candidate.formats,
            "runner": candidate.runner,
        }
        for candidate in item.candidates
    ]
    show_table(candidates, key="engines.candidates", filename=f"{study.id}-layer-{item.index}.csv", height=420)
