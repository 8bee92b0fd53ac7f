"""A sweep: the sweet spot under a limit, the matrix, throughput, what a load costs, where profiles should split."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.cost_view import show_cost
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.latency_runs import transfers_sentence
from pages.ui.stamp import stamp
from pages.ui.state import select
from pages.ui.sweep_charts import Limit, label_of, matrix_figure, throughput_figure
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from trt_core.analysis.cost import OperatingPoint
from trt_core.analysis.sweeps import PERCENTILES, against_references, latency_at, split_profiles, sweet_spot
from trt_core.domain.sweeps import Sweep, SweepHead, SweepPoint
from trt_core.workbench import Workbench


def show_sweep(bench: Workbench, sweep: Sweep, others: Sequence[SweepHead]) -> Limit | None:
    """Everything about one sweep; the limit that the reader set, None while no point is there."""
    measured = [point for point in sweep.points if point.summary is not None]
    if not sweep.is_complete:
        _resume(bench, sweep)
    if not measured:
        st.info("No point of this sweep has been measured yet.")
        return None
    limit = _limit(measured)
    best = sweet_spot(sweep, limit_ms=limit.ms, percentile=limit.percentile)
    verdict(sweep_sentence(best, limit))
    said = conditions_of(sweep, best)
    st.caption(f":material/verified: {text.plain(said)}")
    _few_samples(measured, limit.percentile)
    if best is not None:
        _cards(best, measured, limit.percentile)
    figure = stamp(matrix_figure(sweep.points, best, limit), [said])
    draw_chart(figure, key="sweeps.matrix", filename=sweep.head.id)
    figure = stamp(throughput_figure(sweep.points, best, limit), [said])
    draw_chart(figure, key="sweeps.throughput", filename=f"{sweep.head.id}-throughput")
    show_tabs(
        {
            "Points": lambda: _points(sweep),
            "Cost": lambda: show_cost(_operating(best or measured[0], limit), page="sweeps", limit=_kept(best, limit)),
            "Profile split": lambda: _split(bench, sweep, others),
        },
        key="sweeps.tab",
    )
    return limit


def _points(sweep: Sweep) -> None:
    show_table(point_rows(sweep.points), key="sweeps.points", filename=f"{sweep.head.id}.csv")


def conditions_of(sweep: Sweep, best: SweepPoint | None) -> str:
    """How the points were measured, and whether copies between host and device are in them."""
    known = [point.conditions for point in ((best,) if best else sweep.points) if point.conditions is not None]
    return f"{known[0].method} {transfers_sentence(known[0])}" if known else ""


def _operating(point: SweepPoint, limit: Limit) -> OperatingPoint:
    summary = point.summary
    if summary is None:
        raise ValueError("a point without samples is no way to serve")
    return OperatingPoint(
        batch=point.setting.batch,
        streams=point.setting.streams,
        latency_ms=latency_at(summary, limit.percentile),
        inferences_per_s=summary.throughput_per_s,
    )


def _kept(best: SweepPoint | None, limit: Limit) -> str:
    said = f"{limit.percentile} ≤ {text.milliseconds(limit.ms)}"
    return f"the most under {said}" if best is not None else f"the first point, because none keeps {said}"


def _few_samples(points: Sequence[SweepPoint], percentile: str) -> None:
    few = [p for p in points if p.summary is not None and p.summary.p99_ci95_ms is None]
    if few and percentile == "p99":
        st.caption(
            f":material/warning: {text.counted(len(few), 'point')} of {len(points)} have too few samples for an "
            "interval around p99: read p50 or p90, or take 368 samples a point and more."
        )


def _resume(bench: Workbench, sweep: Sweep) -> None:
    missing = len(sweep.head.spec.settings) - len(sweep.points)
    with st.container(horizontal=True):
        st.warning(f"{text.counted(missing, 'point')} of this sweep are missing: it was stopped, or is under way.")
        if st.button("Go on", key="sweeps.resume", icon=":material/play_arrow:"):
            select({"job": bench.sweeps.submit(sweep.head.spec).id})
            st.rerun()


def usual_limit(points: Sequence[SweepPoint]) -> Limit:
    """The limit that every measured point keeps, from which a reader sets out."""
    slowest = max(point.summary.p99_ms for point in points if point.summary is not None)
    return Limit(ms=math.ceil(slowest * 1000) / 1000, percentile="p99")


def _limit(points: Sequence[SweepPoint]) -> Limit:
    usual = usual_limit(points)
    left, right = st.columns(2)
    limit = left.number_input(
        "Latency limit, ms",
        min_value=0.0,
        value=usual.ms,
        key="sweeps.limit",
        format="%.3f",
        step=0.5,
    )
    percentile = right.segmented_control("Held at", PERCENTILES, default=usual.percentile, key="sweeps.percentile")
    return Limit(ms=limit, percentile=percentile or usual.percentile)


def sweep_sentence(best: SweepPoint | None, limit: Limit) -> str:
    """The sweet spot in a sentence, as plain text."""
    said = f"{limit.percentile} ≤ {text.milliseconds(limit.ms)}"
    if best is None or best.summary is None:
        return f"No point keeps {said}."
    setting = best.setting
    size = f"shape {label_of(best)}" if setting.shapes else f"batch {setting.batch}"
    return (
        f"Under {said} the sweet spot is {size} with {text.counted(setting.streams, 'stream')}: "
        f"{text.figure(best.summary.throughput_per_s)} inferences/s at {limit.percentile} "
        f"{text.milliseconds(latency_at(best.summary, limit.percentile))}."
    )


def _cards(best: SweepPoint, points: Sequence[SweepPoint], percentile: str) -> None:
    summary = best.summary
    if summary is None:
        return
    first = points[0]
    gain = summary.throughput_per_s / first.summary.throughput_per_s if first.summary else 1.0
    how = f"{summary.count} samples; throughput is samples times batch over the wall time."
    metrics(
        [
            Metric(label="Batch", value=str(best.setting.batch), how=how),
            Metric(label="Streams", value=str(best.setting.streams), how=how),
            Metric(label="Throughput", value=f"{text.figure(summary.throughput_per_s)} /s", how=how),
            Metric(label=percentile, value=text.milliseconds(latency_at(summary, percentile)), how=how),
            Metric(label="Over the first point", value=text.ratio(gain), how="Throughput against the smallest point."),
        ]
    )


def point_rows(points: Sequence[SweepPoint]) -> list[dict[str, object]]:
    """Points as plain values."""
    return [
        {
            "batch": point.setting.batch,
            "streams": point.setting.streams,
            "shapes": ", ".join(f"{name} {'×'.join(map(str, dims))}" for name, dims in point.setting.shapes),
            "p50, ms": round(point.summary.p50_ms, 4) if point.summary else None,
            "p99, ms": round(point.summary.p99_ms, 4) if point.summary else None,
            "p99 (95 %)": text.interval(point.summary.p99_ci95_ms, "ms") if point.summary else "",
            "inferences/s": round(point.summary.throughput_per_s, 1) if point.summary else None,
            "samples": point.summary.count if point.summary else 0,
            "error": point.error,
        }
        for point in points
    ]


def _split(bench: Workbench, sweep: Sweep, others: Sequence[SweepHead]) -> None:
    st.caption(
        "Sizes in which one engine for all of them is more than 10 % slower than a reference measured at the same "
        "shapes deserve a profile of their own. An engine with static shapes has one size: choose one sweep for each."
    )
    names = {head.id: f"{text.clean(head.label, 40)} · {text.clock(head.created_at)} · {head.id}" for head in others}
    chosen = st.multiselect("Reference sweeps", list(names), key="sweeps.references", format_func=names.__getitem__)
    if not chosen:
        st.info("Choose sweeps of engines with static shapes as the reference.")
        return
    references = [point for reference in chosen for point in bench.sweeps.sweep(reference).points]
    mine, static = against_references(sweep.points, references)
    if not mine:
        st.info("This sweep shares no shape with the references, measured with one stream.")
        return
    rows = [
        {
            "profile": f"{item.low}–{item.high}",
            "worst against the reference": text.ratio(item.slowdown),
        }
        for item in split_profiles(mine, static)
    ]
    show_table(rows, key="sweeps.split", filename=f"{sweep.head.id}-profiles.csv")
