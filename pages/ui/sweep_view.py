"""A sweep: the sweet spot under a limit, the matrix, throughput, what a load costs, where profiles should split."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.state import select
from pages.ui.sweep_charts import matrix_figure, throughput_figure
from pages.ui.tables import show_table
from pages.ui.theme import plot_config
from trt_core.analysis.cost import OperatingPoint, cost
from trt_core.analysis.sweeps import PERCENTILES, by_size, latency_at, split_profiles, sweet_spot
from trt_core.domain.sweeps import Sweep, SweepHead, SweepPoint
from trt_core.workbench import Workbench


def show_sweep(bench: Workbench, sweep: Sweep, others: Sequence[SweepHead]) -> None:
    """Everything about one sweep."""
    measured = [point for point in sweep.points if point.summary is not None]
    if not sweep.is_complete:
        _resume(bench, sweep)
    if not measured:
        st.info("No point of this sweep has been measured yet.")
        return
    limit_ms, percentile = _limit(measured)
    best = sweet_spot(sweep, limit_ms=limit_ms, percentile=percentile)
    verdict(_sentence(best, limit_ms, percentile))
    conditions = (best or measured[0]).conditions
    if conditions is not None:
        st.caption(f":material/verified: {text.plain(conditions.method)}")
    _few_samples(measured, percentile)
    if best is not None:
        _cards(best, measured, percentile)
    figure = matrix_figure(sweep.points, best, limit_ms=limit_ms, percentile=percentile)
    st.plotly_chart(figure, key="sweeps.matrix", config=plot_config(sweep.head.id))
    figure = throughput_figure(sweep.points, best, limit_ms=limit_ms, percentile=percentile)
    st.plotly_chart(figure, key="sweeps.throughput", config=plot_config(f"{sweep.head.id}-throughput"))
    points, money, split = st.tabs(["Points", "Cost", "Profile split"])
    with points:
        show_table(_rows(sweep.points), key="sweeps.points", filename=f"{sweep.head.id}.csv")
    with money:
        _cost(best or measured[0], percentile)
    with split:
        _split(bench, sweep, others)


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


def _limit(points: Sequence[SweepPoint]) -> tuple[float, str]:
    slowest = max(point.summary.p99_ms for point in points if point.summary is not None)
    left, right = st.columns(2)
    limit = left.number_input(
        "Latency limit, ms",
        min_value=0.0,
        value=math.ceil(slowest * 1000) / 1000,
        key="sweeps.limit",
        format="%.3f",
        step=0.5,
    )
    percentile = right.segmented_control("Held at", PERCENTILES, default="p99", key="sweeps.percentile") or "p99"
    return limit, percentile


def _sentence(best: SweepPoint | None, limit_ms: float, percentile: str) -> str:
    limit = f"{percentile} ≤ {text.milliseconds(limit_ms)}"
    if best is None or best.summary is None:
        return f"No point keeps {limit}."
    setting = best.setting
    return (
        f"Under {limit} the sweet spot is batch {setting.batch} with {text.counted(setting.streams, 'stream')}: "
        f"{text.figure(best.summary.throughput_per_s)} inferences/s at {percentile} "
        f"{text.milliseconds(latency_at(best.summary, percentile))}."
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


def _rows(points: Sequence[SweepPoint]) -> list[dict[str, object]]:
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


def _cost(point: SweepPoint, percentile: str) -> None:
    summary = point.summary
    if summary is None:
        return
    st.caption("At the sweet spot, for a steady load. Queueing is not modelled: the headroom stands for it.")
    with st.container(horizontal=True):
        load = st.number_input("Load, inferences/s", min_value=0.1, value=1000.0, key="sweeps.load")
        price = st.number_input("Price of a device, per hour", min_value=0.0, value=3.0, key="sweeps.price")
        headroom = st.number_input("Kept free, %", min_value=0, max_value=95, value=30, key="sweeps.headroom")
    found = cost(
        OperatingPoint(
            batch=point.setting.batch,
            streams=point.setting.streams,
            latency_ms=latency_at(summary, percentile),
            inferences_per_s=summary.throughput_per_s,
        ),
        load_per_s=load,
        price_per_hour=price,
        headroom=headroom / 100,
    )
    metrics(
        [
            Metric(label="Devices", value=text.count(found.devices), how="Whole ones, with the headroom kept."),
            Metric(label="Used", value=text.percent(found.utilization), how="Load over what the devices can do."),
            Metric(label="A month", value=text.figure(found.per_month), how="730 hours, in the currency of the price."),
            Metric(label="A million inferences", value=text.figure(found.per_million), how="Idle time included."),
        ]
    )


def _split(bench: Workbench, sweep: Sweep, others: Sequence[SweepHead]) -> None:
    st.caption(
        "Sizes in which one engine for all of them is more than 10 % slower than a reference measured for each size "
        "deserve a profile of their own."
    )
    names = {head.id: f"{text.clean(head.label, 40)} · {text.clock(head.created_at)}" for head in others}
    reference = st.selectbox(
        "Reference sweep", list(names), index=None, key="sweeps.reference", format_func=lambda item: names[item]
    )
    if reference is None:
        st.info("Choose a sweep of engines with static shapes as the reference.")
        return
    mine, static = by_size(sweep.points), by_size(bench.sweeps.sweep(reference).points)
    if not set(mine) & set(static):
        st.info("The two sweeps share no size with one stream.")
        return
    rows = [
        {
            "profile": f"{item.low}–{item.high}",
            "worst against the reference": text.ratio(item.slowdown),
        }
        for item in split_profiles(mine, static)
    ]
    show_table(rows, key="sweeps.split", filename=f"{sweep.head.id}-profiles.csv")
