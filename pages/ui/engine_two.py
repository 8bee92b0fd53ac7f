"""Two engines side by side: how much faster, why, group by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_charts import waterfall
from pages.ui.findings import show_findings
from pages.ui.frame import verdict
from pages.ui.once import figure_once, once
from pages.ui.stamp import stamp
from pages.ui.tables import show_table
from pages.ui.theme import PRECISION_LABELS
from trt_core.analysis.engine_compare import Aligned, Alignment, EngineComparison, compare_engines, working_precisions
from trt_core.analysis.engine_layers import LayerRow
from trt_core.analysis.engine_why import why
from trt_core.analysis.latency_compare import Verdict, compare
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.recordings import EngineStudy

_ALIGNED = {
    Alignment.NODES: "Layers that compute the same nodes are one group",
    Alignment.NAMES: "Layers of one name are one group",
    Alignment.PLACES: "No node's name is in both engines: layers in one place of the order that write the same shapes "
    "are one group",
    Alignment.NOTHING: "Nothing is in both engines: every layer is a group by itself",
}


@st.cache_resource(max_entries=8, show_spinner=False)
def compared(_first: EngineStudy, _second: EngineStudy, first_id: str, second_id: str) -> EngineComparison:
    """The comparison of two engines; the ids are its key."""
    del first_id, second_id
    return compare_engines(_first, _second)


_compare = once(16)(compare)
_why = once(8)(why)


def show_comparison(first: EngineStudy, second: EngineStudy) -> None:
    """The answer, the waterfall, the reasons, the groups."""
    comparison = compared(first, second, first.id, second.id)
    findings = _why(comparison)
    verdict(comparison_sentence(comparison, findings))
    if comparison.first.has_times and comparison.second.has_times:
        name = f"{first.id}-{second.id}"
        draw_chart(_waterfall(comparison), key="engines.waterfall", filename=name)
        st.caption(
            f"{_ALIGNED[comparison.alignment]}; each group has one cause. Layer times come from "
            "profiled runs and add up to more than the engine takes: read the differences, not the sums."
        )
    show_findings(findings, empty="Nothing explains a difference.")
    st.caption("Aligned groups, the largest change first")
    show_table(_rows(comparison), key="engines.groups", filename="aligned-groups.csv", height=480)


def waterfall_figure(comparison: EngineComparison) -> Any:
    """The waterfall with the conditions of both engines under it."""
    says = list(dict.fromkeys((comparison.first.stamp, comparison.second.stamp)))
    return stamp(waterfall(comparison), says)


def aligned_rows(comparison: EngineComparison) -> list[dict[str, object]]:
    """Aligned groups as plain values, the largest change first."""
    return [_row(group) for group in sorted(comparison.groups, key=lambda group: -abs(group.delta_ms))]


_waterfall = figure_once(8)(waterfall_figure)
_rows = once(8)(aligned_rows)


def comparison_sentence(
    comparison: EngineComparison,
    findings: Sequence[Finding],
    *,
    name: Callable[[str], str] = text.code,
    say: Callable[[str], str] = text.plain,
) -> str:
    """How much faster, and the first reason; `name` and `say` make foreign text harmless, for Markdown by default."""
    return f"{_ratio(comparison.first, comparison.second, name)} {_reason(comparison, findings, say)}".strip()


def _reason(comparison: EngineComparison, findings: Sequence[Finding], say: Callable[[str], str]) -> str:
    """What weighs most: the largest saving of an engine that is faster, else the first warning."""
    first, second = comparison.first, comparison.second
    faster = first.total_ms is not None and second.total_ms is not None and second.total_ms < 0.98 * first.total_ms
    saved = min(comparison.steps, key=lambda step: step.delta_ms, default=None)
    if faster and saved is not None and saved.delta_ms < 0:
        return f"The largest saving: {saved.cause.value}, {text.milliseconds(-saved.delta_ms)} of layer time."
    warnings = [item for item in findings if item.severity is not Severity.NOTE]
    return say(warnings[0].message) if warnings else ""


def _ratio(first: EngineStudy, second: EngineStudy, name: Callable[[str], str]) -> str:
    a, b = name(first.title), name(second.title)
    if len(first.samples_ms) < 2 or len(second.samples_ms) < 2:
        return f"{b} against {a}:"
    result = _compare(first.samples_ms, second.samples_ms)
    if result.verdict is Verdict.CANNOT_TELL:
        return f"{b} and {a} cannot be told apart ({text.ratio(result.ratio, result.ratio_ci95)})."
    if result.verdict is Verdict.SLOWER:
        result = _compare(second.samples_ms, first.samples_ms)
        return f"{b} is {text.ratio(result.ratio, result.ratio_ci95)} slower than {a}."
    return f"{b} is {text.ratio(result.ratio, result.ratio_ci95)} faster than {a}."


def _row(group: Aligned) -> dict[str, object]:
    return {
        "nodes": group.label,
        "cause": group.cause.value,
        "change, µs": round(group.delta_ms * 1000, 2),
        "first, µs": round(group.first_ms * 1000, 2),
        "second, µs": round(group.second_ms * 1000, 2),
        "layers": f"{len(group.first)} → {len(group.second)}",
        "precision": f"{_precisions(group.first)} → {_precisions(group.second)}",
        "tactic": "changed" if group.tactic_changed else "same",
    }


def _precisions(rows: tuple[LayerRow, ...]) -> str:
    return "+".join(sorted(PRECISION_LABELS[item] for item in working_precisions(rows))) if rows else "–"
