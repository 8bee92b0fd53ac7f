"""What a sensitivity run says: the precisions beside each other, layer by layer, and what backends make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.divergence_charts import sqnr
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.once import once
from pages.ui.report import Plot, Report, Table, model_facts, report_button, versions
from pages.ui.sensitivity_charts import map_figure
from pages.ui.state import select
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from pages.ui.theme import PRECISION_LABELS
from trt_core.analysis.divergence_pictures import Bracket, brackets
from trt_core.analysis.sensitivity_map import map_rows
from trt_core.domain.findings import Finding
from trt_core.domain.sensitivity import Outcome, PrecisionSensitivity, SensitivityRun
from trt_core.domain.validation import Verdict
from trt_core.workbench import Workbench

_RUN = "sensitivity.run"
_WORDS = {  # of one precision, of several
    Verdict.NOT_WORSE: ("stays within the tolerance", "stay within the tolerance"),
    Verdict.WORSE: ("loses more than the tolerance", "lose more than the tolerance"),
    Verdict.TOO_FEW: ("cannot be told from these samples", "cannot be told from these samples"),
}


@dataclass(frozen=True, kw_only=True)
class SensitivityView:
    """A run with the blocks of its layers, read once."""

    run: SensitivityRun
    spans: tuple[Bracket, ...]


@st.cache_resource(max_entries=8, show_spinner=False)
def sensitivity_view(_bench: Workbench, run_id: str) -> SensitivityView:
    """The view of a run; runs do not change, so that each is read once."""
    run = _bench.sensitivity.run(run_id)
    return SensitivityView(run=run, spans=brackets(_bench.library.graph(run.model_id), run.layers))


def choose_sensitivity(heads: Sequence[SensitivityRun], chosen: str) -> None:
    """One run of the model, remembered in the address."""
    by_id = {head.id: head for head in heads}
    st.session_state[_RUN] = chosen if chosen in by_id else None
    st.selectbox(
        "Run",
        list(by_id),
        index=None,
        key=_RUN,
        format_func=lambda item: f"{_against(by_id[item])} · {text.clock(by_id[item].created_at)} · {item}",
        on_change=lambda: select({"sensitivity": st.session_state[_RUN] or ""}),
        placeholder="Choose",
    )


def _against(run: SensitivityRun) -> str:
    return ", ".join(PRECISION_LABELS[part.precision] for part in run.precisions)


def show_sensitivity(bench: Workbench, view: SensitivityView) -> None:
    """Verdict, cards, the map of all layers, the precisions with every backend's answer, the tables."""
    run = view.run
    verdict(answer(run, name=text.code, say=text.plain))
    st.caption(f":material/science: {text.plain(run.method)} Data: {text.plain(run.data)}.")
    metrics([_card(run, part) for part in run.precisions])
    if run.layers:
        draw_chart(map_figure(run, view.spans), key="sensitivity.map", filename=f"{run.id}-map")
        st.caption(
            "One colour scale for all strips: dark is lost. Accumulated: the whole model low. Isolated: this layer "
            "low, its inputs exact. Bars: what the metric gains when this layer alone goes back; hollow ones are "
            "estimated from the layer's share of the noise."
        )
    st.markdown("**What backends make of each precision**")
    show_table(precision_rows(run), key="sensitivity.precisions", filename=f"{run.id}-precisions.csv")
    show_tabs(
        {
            f"Layers ({len(run.layers)})": lambda: _layers(view),
            "Backends, with their reasons": lambda: _answers(run),
            f"Findings ({len(all_findings(run))})": lambda: show_findings(all_findings(run)),
        },
        key="sensitivity.tab",
    )
    report_button(lambda: sensitivity_report(bench, view), page="sensitivity", name=run.id)


def _layers(view: SensitivityView) -> None:
    show_table(_rows(view), key="sensitivity.layers", filename=f"{view.run.id}-layers.csv", height=480)


def _answers(run: SensitivityRun) -> None:
    show_table(answer_rows(run), key="sensitivity.answers", filename=f"{run.id}-backends.csv")


@once(8)
def _rows(view: SensitivityView) -> list[dict[str, Any]]:
    return [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        for row in map_rows(view.run, view.spans)
    ]


def answer(run: SensitivityRun, *, name: Callable[[str], str] = str, say: Callable[[str], str] = str) -> str:
    """Which precisions keep the metric, and which layer loses most by itself in the worst of them."""
    said = []
    for outcome, words in _WORDS.items():
        found = [part for part in run.precisions if part.plain and part.plain.judgement.verdict is outcome]
        if found:
            listed = " and ".join(", ".join(PRECISION_LABELS[part.precision] for part in found).rsplit(", ", 1))
            said.append(f"{listed} {words[len(found) > 1]}.")
    said += [f"{PRECISION_LABELS[part.precision]}: {say(part.refusal)}" for part in run.precisions if part.refusal]
    units = [(part.units[0], part) for part in run.precisions if part.units and part.units[0].isolated_db is not None]
    if units:
        unit, part = min(units, key=lambda item: item[0].isolated_db or 0.0)
        where = f"{name(unit.unit.node)} ({sqnr(unit.isolated_db)} by itself)"
        said.append(f"{PRECISION_LABELS[part.precision]} loses most at {where}.")
    return " ".join(said)


def _card(run: SensitivityRun, part: PrecisionSensitivity) -> Metric:
    label = f"{PRECISION_LABELS[part.precision]} {run.metric}"
    if part.plain is None:
        return Metric(label=label, value="–", how=part.refusal)
    judged = part.plain.judgement
    how = f"{judged.verdict.value}; {text.percent(part.plain.low_share_of_all)} of all MACs lowered. {judged.method}."
    return Metric(label=label, value=text.figure(part.plain.metric, digits=4), how=how)


def precision_rows(run: SensitivityRun) -> list[dict[str, Any]]:
    """One row a precision: its figures, then one column a backend with its answer in short."""
    backends = list(dict.fromkeys(answer.backend for part in run.precisions for answer in part.answers))
    return [_precision_row(run, part, backends) for part in run.precisions]


def _precision_row(run: SensitivityRun, part: PrecisionSensitivity, backends: Sequence[str]) -> dict[str, Any]:
    plain, worst = part.plain, part.units[0] if part.units else None
    drop = plain.judgement.relative_drop if plain else None
    said = {answer.backend: answer for answer in part.answers}
    outputs = [layer.error(part.precision.value) for layer in run.layers[-1:]]
    return {
        "Precision": PRECISION_LABELS[part.precision],
        run.metric: plain.metric if plain else None,
        "Verdict": plain.judgement.verdict.value if plain else part.refusal,
        **{name: _short(said[name].outcome, said[name].precisions) if name in said else "" for name in backends},
        "Relative drop": "" if drop is None else text.percent(drop),
        "Worst layer, isolated": sqnr(worst.isolated_db) if worst else "",
        "Worst layer": worst.unit.node if worst else "",
        "Last layer, accumulated": next((sqnr(error.sqnr_db) for error in outputs if error), ""),
        "MACs lowered, of all": text.percent(plain.low_share_of_all) if plain else "",
    }


def _short(outcome: Outcome, precisions: Sequence[tuple[str, int]]) -> str:
    counts = ", ".join(f"{count} {name.upper()}" for name, count in precisions if count)
    return f"{outcome.value}: {counts}" if counts else outcome.value


def answer_rows(run: SensitivityRun) -> list[dict[str, Any]]:
    """One row a precision and backend, with the reason in full."""
    return [
        {
            "Precision": PRECISION_LABELS[part.precision],
            "Backend": one.backend,
            "Answer": one.outcome.value,
            "Says": one.says,
            "Build": one.build_id,
        }
        for part in run.precisions
        for one in part.answers
    ]


def all_findings(run: SensitivityRun) -> tuple[Finding, ...]:
    """Every precision's findings, which say whose they are."""
    return tuple(
        replace(finding, message=f"{PRECISION_LABELS[part.precision]}: {finding.message}")
        for part in run.precisions
        for finding in part.findings
    )


def sensitivity_report(bench: Workbench, view: SensitivityView) -> Report:
    """Everything the page shows of this run."""
    run = view.run
    model = bench.library.model(run.model_id)
    parts: list[Plot | Table] = [
        Plot(title="Precisions beside each other, layer by layer", figure=map_figure(run, view.spans)),
        Table(title="What backends make of each precision", rows=precision_rows(run)),
        Table(title="Backends, with their reasons", rows=answer_rows(run)),
        Table(title="All layers", rows=map_rows(run, view.spans)),
    ]
    return Report(
        title=f"Sensitivity of {model.name}",
        verdict=answer(run),
        stamp=run.method,
        facts=model_facts(model) | {"Data": run.data, "Took": text.seconds(run.seconds)},
        parts=parts,
        findings=all_findings(run),
        versions=versions(bench),
    )
