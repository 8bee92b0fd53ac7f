"""Inside a TensorRT engine: what was seen, what may be believed of it, and why not more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.divergence_charts import sqnr
from pages.ui.expanders import show_expander
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.inside_charts import look_figure
from pages.ui.inside_form import inside_form
from pages.ui.inside_rows import SIGNS, output_rows, segment_rows, tensor_rows
from pages.ui.inside_square import show_half, show_square
from pages.ui.pickers import check_run
from pages.ui.report import report_button
from pages.ui.report_inside import inside_report
from pages.ui.state import select, selected
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from trt_core.analysis.engine_words import answer, refusal, step_words
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.divergence import DivergenceRun
from trt_core.domain.engine_divergence import EngineDivergence, Observation, ObservedGroup
from trt_core.workbench import Workbench

_RUN = "inside.run"


def inside_section(bench: Workbench, model: ModelRecord, run: DivergenceRun | None) -> None:
    """The section of the Divergence page; without a GPU it says what is missing, and shows the half that is there."""
    st.subheader("Inside the TensorRT engine", anchor=False)
    missing = bench.inside.why_not()
    heads = bench.inside.heads(model.id)
    if missing:
        st.info(text.plain(missing))
    show_expander(
        "New look into an engine",
        partial(inside_form, bench, model, missing),
        key="inside.new",
        icon=":material/troubleshoot:",
    )
    if heads:
        chosen = selected("inside") or heads[0].id
        _choose(heads, chosen)
        check_run(chosen, [head.id for head in heads])
        seen = bench.inside.run(chosen)
        show_look(seen)
        report_button(lambda: inside_report(bench, seen), page="inside", name=seen.id)
        return
    st.caption(
        "Here an engine's inner tensors are held against ONNX Runtime in FP32, and checked for whether watching "
        "changed the engine. An opaque engine is cut instead: with which outputs was the fault there?"
    )
    if run is not None:
        show_half(run, missing or "No engine was looked into yet.")


def _choose(heads: Sequence[EngineDivergence], chosen: str) -> None:
    by_id = {head.id: head for head in heads}
    st.session_state[_RUN] = chosen if chosen in by_id else None
    st.selectbox(
        "Look",
        list(by_id),
        index=None,
        key=_RUN,
        format_func=lambda run_id: _title(by_id[run_id]),
        on_change=lambda: select({"inside": st.session_state[_RUN] or ""}),
        placeholder="Choose",
    )


def _title(run: EngineDivergence) -> str:
    samples = text.counted(run.samples, "sample")
    return f"{run.precision.upper()} · {samples} · {text.clock(run.created_at)} · {run.build_id} · {run.id}"


def show_look(run: EngineDivergence) -> None:
    """Verdict, why nothing more may be said, the picture of what may be believed, and the evidence."""
    verdict(answer(run, name=text.code))
    st.caption(f":material/memory: {text.plain(run.method)} Data: {text.plain(run.data) or 'seeded noise'}.")
    metrics(_cards(run))
    if run.opaque:
        st.info(text.plain(run.opaque))
    if (reason := refusal(run)) and reason not in answer(run):
        st.warning(text.plain(reason))
    if run.believed:
        draw_chart(look_figure(run), key="inside.picture", filename=f"{run.id}-inside")
    _evidence(run)


def _cards(run: EngineDivergence) -> list[Metric]:
    worst = run.worst_output
    cuts = run.bisection
    built = len(run.groups) + (len(cuts.steps) + (cuts.segment is not None) if cuts else 0)
    return [
        Metric(label="Worst output", value=sqnr(worst[1].sqnr_db if worst else None), how="TensorRT, measured."),
        Metric(label="Inner tensors believed", value=f"{len(run.believed)} of {len(run.layers)}"),
        Metric(
            label="Loss begins",
            value=run.origin[0] if run.origin and not run.is_intact else "–",
            how="Among believed tensors.",
        ),
        Metric(label="Engines built", value=str(built)),
        Metric(label="To blame", value=run.square.blame.value if run.square else "–"),
    ]


def _evidence(run: EngineDivergence) -> None:
    steps = run.bisection.steps if run.bisection else ()
    show_tabs(
        {
            f"Inner tensors ({len(run.layers)})": lambda: _tensors(run),
            f"Observer check ({len(run.groups)})": lambda: _check(run),
            f"Cuts ({len(steps)})": lambda: _cuts(run),
            "Four-way square": lambda: _square(run),
            f"Outputs ({len(run.outputs)})": lambda: _outputs(run),
            f"Findings ({len(run.findings)})": lambda: show_findings(run.findings),
        },
        key="inside.tab",
        name="seen",
    )


def _check(run: EngineDivergence) -> None:
    for number, group in enumerate(run.groups, start=1):
        _group(number, group)
    if not run.groups:
        st.caption("No inner tensor was read, so that there is nothing to check.")


def _square(run: EngineDivergence) -> None:
    if run.square:
        show_square(run.square, key="inside.square")
    else:
        st.caption("Left out, or an engine in FP32: there is no quantization to blame.")


def _outputs(run: EngineDivergence) -> None:
    show_table(output_rows(run), key="inside.outputs", filename=f"{run.id}-outputs.csv")


def _tensors(run: EngineDivergence) -> None:
    if not run.layers:
        st.caption("No inner tensor was read.")
        return
    show_table(tensor_rows(run), key="inside.tensors_table", filename=f"{run.id}-tensors.csv", height=420)


def _group(number: int, group: ObservedGroup) -> None:
    with st.container(border=True, gap="xsmall"):
        held = f"{text.counted(len(group.tensors), 'tensor')}, {text.mebibytes(group.size_bytes)}"
        st.markdown(f"**Engine {number}** {held}, as {group.marking.value}, built in {text.seconds(group.seconds)}")
        if group.check is None:
            st.warning(text.plain(group.failed))
            return
        for name, item in (
            ("Fusions", group.check.fusions),
            ("Final output", group.check.output),
            ("Latency", group.check.latency),
        ):
            _observation(name, item)


def _observation(name: str, item: Observation) -> None:
    st.markdown(f"{name} **{SIGNS[item.changed]}**: {text.plain(item.sentence)}")
    if item.evidence:
        st.caption("; ".join(map(text.plain, item.evidence)))


def _cuts(run: EngineDivergence) -> None:
    if run.bisection is None:
        st.caption("The engine was not cut: its outputs are right, or inner tensors tell where they go wrong.")
        return
    found = run.bisection
    for number, step in enumerate(found.steps, start=1):
        st.markdown(f"{number}. {text.plain(step_words(step))}")
    if found.between:
        st.caption(f"Nodes between the cuts: {text.names(found.between, most=12)}.")
    if found.segment is not None and found.segment.errors:
        show_table(segment_rows(run), key="inside.segment", filename=f"{run.id}-segment.csv")
        st.caption("Read from one engine with outputs at all of these: another engine than the one looked into.")
    if found.stopped:
        st.caption(text.plain(found.stopped))
