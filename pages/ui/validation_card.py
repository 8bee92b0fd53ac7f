"""Validations: variants and engines of the model against it, on labelled samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.expanders import show_expander
from pages.ui.findings import show_findings
from pages.ui.tables import show_table
from pages.ui.validation_form import validation_form
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.validation import FLOOR_METRICS, Judgement, ValidationRun, Verdict
from trt_core.workbench import Workbench

_SIGNS = {
    Verdict.NOT_WORSE: ":green-badge[✓ not worse]",
    Verdict.WORSE: ":red-badge[✕ worse]",
    Verdict.TOO_FEW: ":yellow-badge[? too few samples to tell]",
}


def show_validations(bench: Workbench, model: ModelRecord) -> None:
    """The form, and a card for each of the newest runs."""
    st.subheader("Validation", anchor=False)
    validation_form(bench, model)
    runs = bench.validation.runs(model.id)[:5]
    tolerance = _tolerance(runs)
    for run in runs:
        _card(bench, run, None if run.metric in FLOOR_METRICS else tolerance)


def _tolerance(runs: Sequence[ValidationRun]) -> float | None:
    """Another relative drop for all cards; None keeps each run's own."""
    if all(run.metric in FLOOR_METRICS for run in runs):
        return None
    percent = st.number_input(
        "Judge these with another tolerance, %",
        0.0,
        99.0,
        None,
        0.1,
        key="triage.validation_tolerance",
        placeholder="each run's own",
        help="The same measurements are weighed again; nothing is run.",
    )
    return None if percent is None else percent / 100


def judged_sentence(run: ValidationRun, judged: Judgement, *, say: Callable[[str], str] = text.plain) -> str:
    """The figures of a validation; `say` makes foreign text harmless, for Markdown by default."""
    parts = [f"{run.metric} {text.figure(judged.candidate, digits=4)}"]
    if judged.relative_drop is not None:
        parts += [
            f"against {text.figure(judged.baseline, digits=4)}",
            f"relative drop {text.percent(judged.relative_drop)}",
            f"one-sided 95 % bounds {text.bounds(judged.low, judged.high)}"
            if judged.low is not None and judged.high is not None
            else "nothing bounds it",
            f"tolerance {text.percent(judged.tolerance)}",
        ]
    groups = judged.by_groups
    if groups is not None:
        bounds = text.bounds(groups.low, groups.high)
        parts.append(f"counted by {groups.groups:,} groups {groups.verdict.value} (bounds {bounds})")
    if judged.samples_needed:
        parts.append(f"about {judged.samples_needed:,} samples would tell")
    parts.append(f"{run.samples:,} samples of {say(run.data)}")
    return ", ".join(parts) + "."


def flipped_rows(bench: Workbench, run: ValidationRun) -> list[dict[str, object]]:
    """The samples that the candidate answers otherwise than its model."""
    lost, gained = bench.validation.flipped(run)
    rows: list[dict[str, object]] = [{"Sample": item, "Became": "wrong"} for item in lost]
    return rows + [{"Sample": item, "Became": "right"} for item in gained]


def _card(bench: Workbench, run: ValidationRun, tolerance: float | None) -> None:
    run = run if tolerance is None else bench.validation.rejudged(run, tolerance)
    judged = bench.validation.judgement(run)
    with st.container(border=True, gap="xsmall"):
        by = ":blue-badge[engine run]" if run.by_engine else ":gray-badge[simulated]"
        st.markdown(f"{_SIGNS[judged.verdict]} {by} {text.plain(run.subject)} · {text.clock(run.created_at)}")
        st.markdown(judged_sentence(run, judged))
        st.caption(text.plain(run.method))
        if rows := flipped_rows(bench, run):
            lost = sum(row["Became"] == "wrong" for row in rows)
            show_expander(
                f"{lost} samples lost, {len(rows) - lost} gained",
                partial(show_table, rows, key=f"triage.flipped.{run.id}", filename=f"{run.id}-flipped.csv", height=240),
                key=f"triage.flips.{run.id}",
            )
        if run.findings:
            show_findings(run.findings)
