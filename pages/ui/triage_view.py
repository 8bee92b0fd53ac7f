"""What a search says: the answer, the curve, the plan, and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.inside_square import show_blame
from pages.ui.lab_view import show_lab
from pages.ui.links import link_to
from pages.ui.once import once
from pages.ui.save import save_button
from pages.ui.state import select
from pages.ui.tables import Row, show_table
from pages.ui.tabs import show_tabs
from pages.ui.theme import PRECISION_LABELS
from pages.ui.triage_charts import curve_figure, strip_figure
from pages.ui.triage_words import search_title, triage_sentence
from trt_core.domain.plans import plan_text
from trt_core.domain.triage import TriageRun
from trt_core.domain.validation import FLOOR_METRICS
from trt_core.services.plan_latency import PlanLatency
from trt_core.workbench import Workbench

_RUN = "triage.run"


@st.cache_resource(max_entries=8, show_spinner=False)
def stored_run(_bench: Workbench, run_id: str) -> TriageRun:
    """One search with every layer; searches do not change, so that each is read once."""
    return _bench.triage.run(run_id)


def choose_run(heads: Sequence[TriageRun], chosen: str) -> None:
    """One search of the model, remembered in the address."""
    by_id = {head.id: head for head in heads}
    st.session_state[_RUN] = chosen if chosen in by_id else None
    st.selectbox(
        "Search",
        list(by_id),
        index=None,
        key=_RUN,
        format_func=lambda item: search_title(by_id[item]),
        on_change=lambda: select({"triage": st.session_state[_RUN] or ""}),
        placeholder="Choose",
    )


def show_run(bench: Workbench, stored: TriageRun) -> TriageRun:
    """Verdict, cards, the curve beside the plan, the rest in tabs; the run as it was shown: judged anew, or picked."""
    run = _at_picked(bench, _rejudged(bench, stored))
    verdict(triage_sentence(run))
    st.caption(f":material/science: {text.plain(run.method)} Data: {text.plain(run.data)}.")
    metrics(_cards(run))
    latencies = bench.plan_latency.of(run)
    left, right = st.columns([3, 2])
    with left:
        draw_chart(
            curve_figure(run, latencies),
            key="triage.curve",
            on_pick=partial(_picked, run.id),
            filename=f"{run.id}-curve",
        )
        st.caption(f"Click a point to take its plan. {_about_latency(bench, run, latencies)}")
    with right:
        st.markdown("**The plan**")
        draw_chart(strip_figure(run), key="triage.strip", filename=f"{run.id}-plan")
        st.markdown("\n".join(f"- {text.code(node, 70)}" for node in run.after.kept[:12]) or "Nothing is kept.")
        _actions(bench, run)
    show_findings(run.findings, most=3)
    _details(bench, run)
    return run


def _about_latency(bench: Workbench, run: TriageRun, latencies: Sequence[PlanLatency]) -> str:
    if latencies:
        return f"Milliseconds: measured engines of {text.counted(len(latencies), 'plan')} of {len(run.evaluations)}."
    known = {item.backend: item for item in bench.machine.capabilities()}
    reason = known["tensorrt"].why_not("run") if "tensorrt" in known else "TensorRT is not installed here"
    why = f" ({text.plain(reason).rstrip('.')})" if reason else ""
    return f"No latency on it: no engine of these plans was measured on a GPU{why}."


def _rejudged(bench: Workbench, run: TriageRun) -> TriageRun:
    floor = run.metric in FLOOR_METRICS
    unit = 1.0 if floor else 100.0
    given = st.number_input(
        f"Judge with another floor of {run.metric}" if floor else "Judge with another tolerance, %",
        None if floor else 0.0,
        None if floor else 99.0,
        run.tolerance * unit,
        None if floor else 0.1,
        format="%g" if floor else None,
        key=f"triage.rejudge.{run.id}",
        help="The same measurements are weighed again; nothing is run.",
    )
    return run if given == run.tolerance * unit else bench.triage.rejudged(run, given / unit)


def _picked(run_id: str, mark: Sequence[Any]) -> None:
    st.session_state[f"triage.point.{run_id}"] = int(mark[0])


def _at_picked(bench: Workbench, run: TriageRun) -> TriageRun:
    """The run with the point that was clicked on the curve as its plan."""
    place = st.session_state.get(f"triage.point.{run.id}")
    if place is None or not 0 <= place < len(run.evaluations) or place == run.chosen:
        return run
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("A point of the curve is chosen by hand.")
        if st.button("Back to the search's choice", key="triage.unpick", type="tertiary"):
            del st.session_state[f"triage.point.{run.id}"]
            st.rerun()
    return bench.triage.chosen(run, place)


def _cards(run: TriageRun) -> list[Metric]:
    after = run.after.judgement
    cards = [
        Metric(label=f"{run.metric} before", value=text.figure(run.before.metric, digits=4), how="Everything lowered."),
        Metric(label=f"{run.metric} after", value=text.figure(run.after.metric, digits=4), how="The chosen plan."),
        Metric(
            label="MACs lowered, of all",
            value=text.percent(run.after.low_share_of_all),
            how=f"{text.percent(run.after.low_share)} of those that the recipe can lower"
            f"{'' if run.plan.recipe.attention else '; products of two activations are not among them'}.",
        ),
    ]
    groups = after.by_groups
    if groups is not None:
        how = f"Counted by {groups.groups:,} groups, bounds {text.bounds(groups.low, groups.high)}."
        cards.append(Metric(label="Counted by groups", value=groups.verdict.value, how=how))
    if after.relative_drop is not None and after.low is not None and after.high is not None:
        how = f"One-sided 95 % bounds {text.bounds(after.low, after.high)}: {after.method}."
        cards.insert(2, Metric(label="Relative drop", value=text.percent(after.relative_drop), how=how))
    return cards


def _actions(bench: Workbench, run: TriageRun) -> None:
    with st.container(horizontal=True, gap="small"):
        save_button(
            "Save the plan",
            lambda: plan_text(run.plan),
            filename=f"{run.id}.plan.json",
            mime="application/json",
            key="triage.save",
            in_row=True,
        )
        wish = bench.triage.variant_wish(run)
        found = bench.variants.find(wish)
        if found is not None:
            link_to("build", label="Build this variant", changes={"variant": found.id}, icon=":material/construction:")
        elif st.button("Make the variant", key="triage.variant", type="primary", icon=":material/tune:"):
            bench.variants.submit(wish)
            st.toast("The variant is being made.")


def _details(bench: Workbench, run: TriageRun) -> None:
    show_tabs(
        {
            f"Layers ({len(run.sensitivities)})": lambda: _layers(run),
            f"Evaluations ({len(run.evaluations)})": lambda: _evaluations(run),
            "PTQ or runtime?": lambda: _square(bench, run),
            "Calibration lab": lambda: show_lab(run),
            f"Findings ({len(run.findings)})": lambda: show_findings(run.findings),
        },
        key="triage.tab",
    )


def _layers(run: TriageRun) -> None:
    st.caption(
        "Three errors, never mixed: isolated (this layer low, its inputs exact), accumulated (the whole chain "
        "low), gain (what the metric gains when this layer alone goes back; an estimate unless measured)."
    )
    if st.button("FP16 and INT8 side by side", key="triage.beside", icon=":material/view_column:"):
        st.session_state["triage.next_view"] = "beside"
        st.rerun()
    show_table(layer_rows(run), key="triage.layers", filename=f"{run.id}-layers.csv", height=460)


def _evaluations(run: TriageRun) -> None:
    st.caption(f"{text.counted(len(run.evaluations), 'evaluation')} in {text.seconds(run.seconds)}.")
    show_table(evaluation_rows(run), key="triage.tried", filename=f"{run.id}-evaluations.csv")


@once(8)
def layer_rows(run: TriageRun) -> list[Row]:
    """One row a unit, most suspicious first."""
    kept = frozenset(run.after.kept)
    return [
        {
            "Node": item.unit.node,
            "Op": item.unit.op_type,
            "Kept": item.unit.node in kept,
            "Isolated, dB": _rounded(item.isolated_db),
            "Only weights, dB": _rounded(item.weights_db),
            "Only activations, dB": _rounded(item.activations_db),
            "Accumulated, dB": _rounded(item.accumulated_db),
            "Gain": item.gain,
            "Gain is": "measured" if item.is_measured else "estimated" if item.gain is not None else "",
            "MACs": item.unit.macs,
        }
        for item in run.sensitivities
    ]


def _rounded(decibels: float | None) -> float | None:
    return None if decibels is None else round(decibels, 1)


def evaluation_rows(run: TriageRun) -> list[Row]:
    """One row an evaluation, in the order made."""
    return [
        {
            "Step": one.step,
            "Kept": len(one.kept),
            run.metric: one.metric,
            "Lowered MACs, of those that can be": text.percent(one.low_share),
            "Of all MACs": text.percent(one.low_share_of_all),
            "Relative drop": "" if one.judgement.relative_drop is None else text.percent(one.judgement.relative_drop),
            "Verdict": one.judgement.verdict.value,
            "Seconds": round(one.seconds, 2),
            "Chosen": place == run.chosen,
        }
        for place, one in enumerate(run.evaluations)
    ]


def _square(bench: Workbench, run: TriageRun) -> None:
    """Four ways to run the model; says whether the quantization or the engine is to blame."""
    name = PRECISION_LABELS[run.plan.recipe.precision]
    plain, planned = f"plain {name}", f"{name} by the plan"
    scores = bench.plan_latency.scores(run)
    engine = {"FP32": scores.fp32, plain: scores.plans.get(0), planned: scores.plans.get(run.chosen)}
    rows: list[Row] = [
        {
            "": "ONNX Runtime",
            "FP32": text.figure(run.after.judgement.baseline, digits=4),
            plain: _value(run, 0),
            planned: _value(run, run.chosen),
        },
        {"": "TensorRT", **{at: "absent" if one is None else text.figure(one, digits=4) for at, one in engine.items()}},
    ]
    show_table(rows, key="triage.square", filename=f"{run.id}-square.csv")
    if None in engine.values():
        reason = bench.inside.why_not().rstrip(".") or "no engine of it was validated on these samples"
        what = "What is absent in the TensorRT row" if any(engine.values()) else "The TensorRT row is absent"
        st.caption(f"{what}: {text.plain(reason)}.")
    st.caption(
        "What ONNX Runtime loses from FP32 is the quantization's doing; what TensorRT loses beyond it, the engine's."
    )
    show_blame(bench, run.model_id, run.plan.recipe.precision.value)


def _value(run: TriageRun, place: int) -> str:
    return text.figure(run.evaluations[place].metric, digits=4)
