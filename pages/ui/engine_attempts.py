"""Attempts at one build request: how far plans, build time, latency and outputs spread."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_spread_charts import build_figure, latency_figure
from pages.ui.frame import verdict
from pages.ui.jobs import asked_already
from pages.ui.stamp import stamp
from pages.ui.state import select
from pages.ui.tables import show_table
from trt_core.analysis.rebuilds import LatencySpread, RebuildSpread, latency_spread
from trt_core.domain.jobs import JobKind
from trt_core.domain.rebuilds import MOST_BUILDS, RebuildRun, RebuildSpec
from trt_core.domain.recordings import EngineStudy
from trt_core.workbench import Workbench


def show_attempts(bench: Workbench, study: EngineStudy) -> None:
    """What stays the same over the attempts, what does not, and a button for more of them."""
    build_id = study.id
    found = bench.engines.rebuilds(build_id)
    run = bench.rebuilds.latest(build_id)
    verdict(attempts_sentence(found, run))
    st.caption(f":material/verified: {text.plain(study.stamp)}")
    _more(bench, build_id)
    if len(found.attempts) > 1:
        figure = stamp(build_figure(found), [study.stamp])
        draw_chart(figure, key="engines.build_seconds", filename=f"{build_id}-builds")
    _latency(run)
    show_table(attempt_rows(found, run), key="engines.attempts", filename=f"{build_id}-attempts.csv")
    if found.changes:
        show_table(change_rows(found), key="engines.changes", filename=f"{build_id}-changes.csv", height=360)
    if run is not None and run.outputs:
        st.caption("Outputs on one seeded input, against the first attempt's.")
        show_table(output_rows(run), key="engines.outputs", filename=f"{build_id}-outputs.csv")


def attempts_sentence(found: RebuildSpread, run: RebuildRun | None) -> str:
    """What the attempts say, as plain text."""
    count = len(found.attempts)
    if count == 1:
        return "This request was built once. Further attempts show how far engines of one request differ."
    same = "every layer is the same" if found.same_layers else f"{len(found.changes)} layers differ"
    said = (
        f"{text.counted(count, 'attempt')}, {text.counted(found.distinct_engines, 'distinct engine')}; {same}. "
        f"Building took {text.seconds(found.mean_s)} ± {text.seconds(found.std_s)}."
    )
    spread = latency_spread(run.latency) if run is not None else None
    return f"{said} {latency_sentence(spread)}" if spread is not None else said


def latency_sentence(spread: LatencySpread) -> str:
    """How far the latency of the attempts lies apart, and whether that is more than measuring twice."""
    said = (
        f"p50 from {text.milliseconds(spread.lowest_ms)} to {text.milliseconds(spread.highest_ms)}: "
        f"{text.percent(spread.between)} apart"
    )
    if spread.within is None:
        return f"{said}; measured once, so that nothing tells builds from noise."
    again = f"one engine measured again differs by up to {text.percent(spread.within)}"
    return f"{said}; {again}{'' if spread.is_told else ', so that no build stands out'}."


def attempt_rows(found: RebuildSpread, run: RebuildRun | None) -> list[dict[str, object]]:
    """Attempts as plain values."""
    timed = {item.build_id: item.rounds for item in run.latency} if run is not None else {}
    return [
        {
            "attempt": place,
            "build": item,
            "seconds": round(seconds, 3),
            "bytes": size,
            "p50, ms, by round": ", ".join(f"{one.p50_ms:.4f}" for one in timed.get(item, ())) or "–",
            "p99, ms, by round": ", ".join(f"{one.p99_ms:.4f}" for one in timed.get(item, ())) or "–",
        }
        for place, (item, seconds, size) in enumerate(
            zip(found.attempts, found.seconds, found.engine_bytes, strict=True), start=1
        )
    ]


def change_rows(found: RebuildSpread) -> list[dict[str, object]]:
    """Layers that are not the same in every attempt."""
    return [
        {
            "layer": change.layer,
            "differs in": change.what,
            "values": "; ".join(f"{value} ({times})" for value, times in change.values),
        }
        for change in found.changes
    ]


def output_rows(run: RebuildRun) -> list[dict[str, object]]:
    """Outputs of the attempts against the first one's."""
    return [
        {
            "output": item.name,
            "same bits": f"{item.identical} of {len(run.attempts)}",
            "largest relative L2": item.rel_l2,
            "largest absolute": item.max_abs,
        }
        for item in run.outputs
    ]


def _latency(run: RebuildRun | None) -> None:
    if run is None:
        return
    if run.not_run:
        st.caption(f":material/info: No latency and no outputs. {text.plain(run.not_run)}")
        return
    figure = stamp(latency_figure(run.latency), [run.stamp])
    draw_chart(figure, key="engines.attempt_latency", filename=f"{run.id}-latency")


def _more(bench: Workbench, build_id: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        times = st.number_input("Further builds", 1, MOST_BUILDS, 5, key="engines.times")
        fresh = st.toggle(
            "Time every tactic anew",
            value=True,
            key="engines.fresh",
            help="A timing cache hands every build the same tactics. TensorRT-RTX times none, with or without.",
        )
        spec = RebuildSpec(build_id=build_id, times=times, fresh_timings=fresh)
        busy = asked_already(bench, JobKind.REBUILD, spec)
        label = f"Build {text.counted(times, 'time')} more"
        pressed = st.button(
            label, key="engines.again", icon=":material/replay:", disabled=bool(busy), help=busy or None
        )
    if pressed:
        select({"job": bench.rebuilds.submit(spec).id})
        st.rerun()
