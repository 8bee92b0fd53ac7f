"""What latency runs say: the answer, the plots, the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.cost_view import show_cost
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.latency_charts import beyond, ecdf_figure, histogram_figure, node_figure, time_figure, warmup_figure
from pages.ui.latency_gpu import show_gpu, trtexec_files
from pages.ui.latency_runs import (
    MOST_RUNS,
    RunView,
    backend_title,
    facts,
    no_tensorrt,
    run_title,
)
from pages.ui.latency_tables import estimate, first_ms, percentile_table, sample_rows, summary_rows
from pages.ui.latency_violin import violin_figure
from pages.ui.links import link_to
from pages.ui.once import once
from pages.ui.save import save_button
from pages.ui.seen import show_when_seen
from pages.ui.state import select
from pages.ui.tables import csv_text, show_table
from pages.ui.tabs import show_tabs
from trt_core.analysis.cost import OperatingPoint
from trt_core.analysis.latency_compare import LatencyComparison, Verdict
from trt_core.analysis.latency_pictures import NodeTime, node_times, op_times
from trt_core.domain.findings import Finding
from trt_core.domain.latency import LatencyRun
from trt_core.workbench import Workbench

_RUNS = "latency.runs"
_MOST_NODES = 20


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run against the first one, told from the faster of the two."""

    faster: RunView
    slower: RunView
    result: LatencyComparison
    findings: tuple[Finding, ...]

    @property
    def sentence(self) -> str:
        """`B · FP16 is 1.48× (1.45–1.51) faster than A · FP32`."""
        ratio = text.ratio(self.result.ratio, self.result.ratio_ci95)
        if self.result.verdict is Verdict.CANNOT_TELL:
            return f"{self.faster.name} against {self.slower.name}: {ratio}, no difference can be told"
        return f"{self.faster.name} is {ratio} faster than {self.slower.name}"


def compared(bench: Workbench, views: Sequence[RunView]) -> list[Comparison]:
    """Each further run against the first one."""
    return [_against(bench, views[0], other) for other in views[1:]]


def _against(bench: Workbench, first: RunView, other: RunView) -> Comparison:
    result, findings = _compare(bench, first.run.id, other.run.id)
    slower, faster = first, other
    if result.verdict is Verdict.SLOWER:
        result, _ = _compare(bench, other.run.id, first.run.id)
        slower, faster = other, first
    return Comparison(faster=faster, slower=slower, result=result, findings=findings)


@st.cache_resource(max_entries=64, show_spinner=False)
def _compare(_bench: Workbench, one: str, other: str) -> tuple[LatencyComparison, tuple[Finding, ...]]:
    return _bench.latency.compare(one, other)


def choose_runs(bench: Workbench, heads: Sequence[LatencyRun], shown: Sequence[str]) -> None:
    """Up to six runs of the model, remembered in the address."""
    by_id = {head.id: head for head in heads}
    st.session_state[_RUNS] = [run_id for run_id in shown if run_id in by_id]
    st.multiselect(
        "Runs on the plots; the others are compared with the first",
        list(by_id),
        key=_RUNS,
        max_selections=MOST_RUNS,
        format_func=lambda run_id: run_title(bench, by_id[run_id]),
        on_change=_remember_runs,
        placeholder="Choose up to six",
    )


def _remember_runs() -> None:
    chosen: list[str] = st.session_state[_RUNS]
    select({"runs": ",".join(chosen), "latency": chosen[0] if chosen else ""})


def answer(
    views: Sequence[RunView], comparisons: Sequence[Comparison], *, say: Callable[[str], str] = text.plain
) -> str:
    """The answer in a sentence; `say` makes foreign text harmless, for Markdown unless told otherwise."""
    every = [view.run.conditions for view in views]
    told = {no_tensorrt(conditions) for conditions in every}
    titles = " and ".join(dict.fromkeys(backend_title(conditions) for conditions in every))
    devices = " and ".join(dict.fromkeys(say(conditions.device) for conditions in every))
    where = f"{titles} on {devices}" + (f": {told.pop()}" if told != {""} and len(told) == 1 else "")
    if comparisons:
        return f"{'; '.join(item.sentence for item in comparisons)}. {where}."
    found = views[0].summary
    return (
        f"p50 {estimate(found.p50_ms, found.p50_ci95_ms)}, p99 {estimate(found.p99_ms, found.p99_ci95_ms)}; "
        f"{text.counted(found.count, 'sample')} of {where}."
    )


def show_runs(views: Sequence[RunView], comparisons: Sequence[Comparison]) -> None:
    """Verdict, cards, plots and tables of the chosen runs."""
    verdict(answer(views, comparisons))
    if len(views) == 1:
        metrics(_cards(views[0]))
    else:
        show_table(summary_rows(views), key="latency.summary", filename="latency-runs.csv")
    name = "-".join(view.run.id for view in views)
    draw_chart(ecdf_figure(views), key="latency.ecdf", filename=f"{name}-ecdf")
    st.caption(
        "Each curve tells which share of the samples took at most that long. The band holds the whole curve at 95 % "
        f"(Dvoretzky, Kiefer and Wolfowitz), for independent samples. {beyond(views)}"
    )
    show_when_seen(partial(_spread, views, name), key="latency.spread", height=380)
    _measured_how(views)
    details = partial(_details, views, comparisons, name)
    show_when_seen(details, key="latency.details", height=420, at_once="tab" in st.query_params)


def _spread(views: Sequence[RunView], name: str) -> None:
    """How the samples spread, and over time."""
    left, right = st.columns(2)
    with left:
        draw_chart(histogram_figure(views), key="latency.histogram", filename=f"{name}-histogram")
    with right:
        draw_chart(time_figure(views), key="latency.time", filename=f"{name}-over-time")


def _cards(view: RunView) -> list[Metric]:
    found, conditions = view.summary, view.run.conditions
    how = conditions.method
    interval = "The interval beside it in the table is distribution-free, 95 %."
    return [
        Metric(label="p50", value=text.milliseconds(found.p50_ms), how=f"{how} {interval}"),
        Metric(label="p99", value=text.milliseconds(found.p99_ms), how=f"{how} {interval}"),
        Metric(
            label="Throughput",
            value=f"{text.figure(found.throughput_per_s)} /s",
            how=f"Samples times batch {conditions.batch} over the wall time from the first sample to the last.",
        ),
        Metric(label="Samples", value=text.count(found.count), how=f"After {conditions.warmup} warm-up runs."),
        Metric(label="Cold start", value=text.milliseconds(first_ms(view)), how="The first warm-up inference."),
    ]


def _measured_how(views: Sequence[RunView]) -> None:
    with st.container(border=True):
        st.markdown("**Measured how**")
        for view in views if len({view.run.conditions for view in views}) > 1 else views[:1]:
            lines = [f"**{key}** {text.plain(value)}" for key, value in facts(view).items()]
            st.caption((f"**{view.name}** · " if len(views) > 1 else "") + " · ".join(lines))


def _details(views: Sequence[RunView], comparisons: Sequence[Comparison], name: str) -> None:
    findings = findings_of(views, comparisons)
    show_tabs(
        {
            "Percentiles": lambda: _percentiles(views, name),
            "Violin": lambda: _violin(views, name),
            "Cold start": lambda: _cold(views, name),
            "Nodes (separate run)": lambda: _nodes(views),
            f"Findings ({len(findings)})": lambda: show_findings(findings),
            "Cost": lambda: _cost(views),
            "Samples": lambda: _samples(views, name),
            "GPU": lambda: show_gpu(views, name),
        },
        key="latency.tab",
    )


def _percentiles(views: Sequence[RunView], name: str) -> None:
    show_table(percentile_table(views), key="latency.percentiles", filename=f"{name}-percentiles.csv")
    st.caption(
        "Interpolated: linear between samples (NumPy's default). trtexec's rule takes one sample and does not "
        "interpolate, so that its figure and ours can differ on the same samples."
    )


def _violin(views: Sequence[RunView], name: str) -> None:
    draw_chart(violin_figure(views), key="latency.violin", filename=f"{name}-violin")
    st.caption("Density up to the 99.5th percentile, quartiles as a bar, the slowest samples as marks.")


def _cost(views: Sequence[RunView]) -> None:
    """What a load costs with one of the runs: devices like the one that was measured."""
    names = {view.letter: view.name for view in views}
    letter = views[0].letter
    if len(views) > 1:
        letter = (
            st.segmented_control(
                "Run", list(names), default=letter, key="latency.cost_of", format_func=names.__getitem__
            )
            or letter
        )
    view = next(item for item in views if item.letter == letter)
    point = OperatingPoint(
        batch=view.run.conditions.batch,
        streams=view.run.conditions.streams,
        latency_ms=view.summary.p99_ms,
        inferences_per_s=view.summary.throughput_per_s,
    )
    show_cost(point, page="latency", limit=f"as measured, with p99 {text.milliseconds(view.summary.p99_ms)}")
    told = no_tensorrt(view.run.conditions)
    if told:
        st.caption(f"This is {told}: the price is that of such a machine.")
    link_to("sweeps", label="Find the batch and the streams that cost least", icon=":material/grid_on:")


def findings_of(views: Sequence[RunView], comparisons: Sequence[Comparison]) -> list[Finding]:
    """What the runs say about themselves, and how their conditions differ."""
    found = [finding for item in comparisons for finding in item.findings]
    for view in views:
        whose = f"{view.name}: " if len(views) > 1 else ""
        found += [replace(finding, message=f"{whose}{finding.message}") for finding in view.run.findings]
    return list(dict.fromkeys(found))


def _cold(views: Sequence[RunView], name: str) -> None:
    warm = [view for view in views if view.run.warmup_ms]
    if not warm:
        st.caption("These runs had no warm-up: the cold start is among their samples.")
        return
    draw_chart(warmup_figure(warm), key="latency.warmup_chart", filename=f"{name}-warm-up")
    st.caption("Inferences before the samples, the first one with a cold cache. They are in no statistic above.")


def _nodes(views: Sequence[RunView]) -> None:
    timed = {view.letter: view for view in views if view.run.layers}
    if not timed:
        st.caption("No node was timed: switch on “Time each node in a separate run”.")
        return
    letter = next(iter(timed))
    if len(timed) > 1:
        letter = (
            st.segmented_control(
                "Run", list(timed), default=letter, key="latency.nodes_of", format_func=lambda item: timed[item].name
            )
            or letter
        )
    view = timed[letter]
    st.markdown(f"**{view.name}**: a separate profiled run, slower than the samples. The shares count.")
    slowest = _slowest(view.run)
    figure = node_figure(slowest[:_MOST_NODES], view)
    draw_chart(figure, key="latency.nodes", filename=f"{view.run.id}-nodes")
    ops = [
        {"op": op, "nodes": count, "mean, ms": spent, "share": text.percent(share)}
        for op, count, spent, share in op_times(view.run.layers)
    ]
    show_table(ops, key="latency.ops", filename=f"{view.run.id}-ops.csv")
    show_table(_node_rows(view.run), key="latency.node_table", filename=f"{view.run.id}-nodes.csv", height=320)


@once(16)
def _slowest(run: LatencyRun) -> tuple[NodeTime, ...]:
    return node_times(run.layers)


@once(16)
def _node_rows(run: LatencyRun) -> list[dict[str, object]]:
    return [
        {"node": node.name, "op": node.op_type, "mean, ms": node.mean_ms, "share": text.percent(node.share)}
        for node in _slowest(run)
    ]


def _samples(views: Sequence[RunView], name: str) -> None:
    st.caption("Every sample in the order taken, the warm-up marked as such, with the conditions in each row.")
    save_button(
        "Download samples as CSV",
        lambda: csv_text(sample_rows(views)),
        filename=f"{name}-samples.csv",
        mime="text/csv",
        key="latency.samples_csv",
    )
    trtexec_files(views)
