"""The answer of the parser and of a build: sentence, strip of nodes, findings, table, parts as files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.links import link_to
from pages.ui.once import figure_once, once
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from pages.ui.theme import PROOF_COLOURS, SEVERITY_BADGES, plot_layout, room
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.requests import InspectSpec
from trt_core.domain.support import Evidence, NodeSupport, SupportPart, SupportReport
from trt_core.workbench import Workbench

_LEVELS = list(PROOF_COLOURS)
_CALLED_OUT = 6


def show_report(bench: Workbench, model: ModelRecord, report: SupportReport) -> None:
    """Everything about one report."""
    verdict(support_sentence(report))
    _cards(bench, report)
    draw_chart(strip(report), key="support.strip", filename=f"{model.id}-support")
    for node in report.unsupported[:_CALLED_OUT]:
        _call_out(node)
    show_tabs(
        {
            "Findings": lambda: show_findings((*report.findings, *_model_findings(bench, model.id))),
            "Nodes": lambda: _table(report, model),
            "Parts as files": lambda: _parts(bench, model, report),
        },
        key="support.tab",
    )


@once(16)
def _model_findings(bench: Workbench, model_id: str) -> tuple[Finding, ...]:
    """What the rules find in a model, which does not change: they read its file."""
    return bench.support.model_findings(model_id)


def is_worth_asking(bench: Workbench, spec: InspectSpec) -> bool:
    """False when the answer is there already, or a build could prove nothing more because nodes are refused."""
    known = bench.support.find(replace(spec, prove=False))
    return bench.support.find(spec) is None and not (known and known.unsupported)


def level_of(node: NodeSupport) -> str:
    """How far the answer for a node is proved, as the legend calls it."""
    if node.supported is None:
        return "no verdict"
    if not node.supported:
        return "refused"
    words = {Evidence.PARSER: "parser accepts", Evidence.SUBGRAPH: "subgraph accepted", Evidence.BUILD: "build proves"}
    return words[node.evidence]


def support_sentence(report: SupportReport) -> str:
    """The verdict: how many nodes are refused, or how far the yes is proved."""
    where = f"for {report.target}" if report.target else "here"
    total = text.counted(len(report.nodes), "node")
    refused = report.unsupported
    if refused:
        ops = text.names(list(dict.fromkeys(node.op_type for node in refused)), most=3)
        verb = "is" if len(refused) == 1 else "are"
        parts = text.counted(report.partition_count, "part")
        return f"{len(refused)} of {total} {verb} refused {where} ({ops}); the others fall into {parts}."
    if report.build_proved is False:
        return f"The parser accepts all {total}, but the build {where} failed."
    if report.build_proved:
        return f"All {total} are supported {where}: a build proved it."
    if report.fully_supported:
        return f"The parser accepts all {total} {where}; no build has proved it yet."
    open_ones = sum(node.supported is None for node in report.nodes)
    return f"No verdict on {open_ones} of {total} {where}; the parser refuses none."


def _cards(bench: Workbench, report: SupportReport) -> None:
    proof = {True: "succeeded", False: "failed", None: "not tried"}[report.build_proved]
    metrics(
        [
            Metric(label="Accepted", value=text.count(sum(node.supported is True for node in report.nodes))),
            Metric(label="Refused", value=text.count(len(report.unsupported)), how="By the parser or by the build."),
            Metric(label="Parts", value=text.count(report.partition_count), how="Runs of accepted nodes."),
            Metric(
                label="Build", value=proof, how="A build of the FP32 file. A model with refused nodes is not built."
            ),
        ]
    )
    title = next(
        (item.title for item in bench.machine.capabilities() if item.backend == report.backend), report.backend
    )
    st.caption(text.plain(f"{title}, {report.backend_version}, {report.target}"))
    if report.build_reason:
        st.error(f"**The build says**\n\n{text.plain(report.build_reason)}", icon=":material/error:")


@figure_once(16)
def strip(report: SupportReport) -> Any:
    """All nodes in file order, coloured by proof; partitions as brackets below, refused nodes marked above."""
    import plotly.graph_objects as go

    figure = go.Figure()
    levels = [level_of(node) for node in report.nodes]
    figure.add_heatmap(
        z=[[_LEVELS.index(level) for level in levels]],
        y=[0],
        zmin=-0.5,
        zmax=len(_LEVELS) - 0.5,
        colorscale=_steps(),
        showscale=False,
        xgap=1 if len(levels) <= 200 else 0,
        text=[[_hover(node, level) for node, level in zip(report.nodes, levels, strict=True)]],
        hovertemplate="%{x} %{text}<extra></extra>",
    )
    for level in _LEVELS:
        share = levels.count(level)
        if share:
            marker = {"color": PROOF_COLOURS[level], "symbol": "square", "size": 12}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=f"{level}: {share:,}")
    blocked = [node.index for node in report.unsupported]
    if blocked:
        marker = {"symbol": "triangle-down", "size": 11, "color": PROOF_COLOURS["refused"]}
        figure.add_scatter(
            x=blocked, y=[0.75] * len(blocked), mode="markers", marker=marker, showlegend=False, hoverinfo="skip"
        )
    _brackets(figure, report)
    figure.update_layout(plot_layout(height=230, title="", showlegend=True, margin=room(ticks=12)))
    figure.update_yaxes(visible=False, range=[-1.5, 1.1], fixedrange=True)
    step = {"dtick": 1} if len(levels) <= 20 else {}
    figure.update_xaxes(title="node, in file order", zeroline=False, showgrid=False, **step)
    return figure


def _steps() -> list[list[Any]]:
    size = len(_LEVELS)
    return [[(position + end) / size, PROOF_COLOURS[level]] for position, level in enumerate(_LEVELS) for end in (0, 1)]


def _hover(node: NodeSupport, level: str) -> str:
    """Name and op, and more where there is more to say than the legend's colour: there may be thousands of nodes."""
    said = f"{text.chart(node.name)}<br>{text.chart(node.op_type, 40)}"
    if node.supported and not node.reason:
        return said
    reason = f"<br>{text.chart(node.reason, 90)}" if node.reason else ""
    return f"{said}: {level}{reason}"


def _brackets(figure: Any, report: SupportReport) -> None:
    spans = [(part.indices[0], part.indices[-1], len(part.indices)) for part in report.parts if part.is_supported]
    x: list[float | None] = []
    y: list[float | None] = []
    for first, last, _ in spans:
        x += [first - 0.45, first - 0.45, last + 0.45, last + 0.45, None]
        y += [-0.6, -0.8, -0.8, -0.6, None]
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": "#6B7B83"}, showlegend=False, hoverinfo="skip")
    if len(spans) <= 12:
        middles = [(first + last) / 2 for first, last, _ in spans]
        labels = [text.counted(size, "node") for _, _, size in spans]
        figure.add_scatter(
            x=middles, y=[-1.15] * len(spans), mode="text", text=labels, showlegend=False, hoverinfo="skip"
        )


def _call_out(node: NodeSupport) -> None:
    with st.container(border=True, gap="xsmall"):
        badge = f":{SEVERITY_BADGES[Severity.BLOCKER]}-badge[■ Refused]"
        op = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        st.markdown(f"{badge} {text.code(node.name)}, {text.code(op, 60)}: {text.plain(node.reason)}")
        if node.remedy:
            st.markdown(f"**What to do:** {text.plain(node.remedy)}")


def _table(report: SupportReport, model: ModelRecord) -> None:
    only = st.toggle("Only what is not proved", key="support.only", value=False)
    show_table(_rows(report, only), key="support.nodes", filename=f"{model.id}-support.csv", height=420)


@once(16)
def _rows(report: SupportReport, only_unproved: bool) -> list[dict[str, Any]]:
    return [
        {
            "#": node.index,
            "Name": node.name,
            "Op": node.op_type,
            "Domain": node.domain,
            "Level": level_of(node),
            "Part": node.partition if node.partition >= 0 else None,
            "Reason": node.reason,
            "Remedy": node.remedy,
        }
        for node in report.nodes
        if not only_unproved or level_of(node) != "build proves"
    ]


def _parts(bench: Workbench, model: ModelRecord, report: SupportReport) -> None:
    st.markdown(
        "A part can be taken out as an ONNX file: build the accepted parts, and leave the refused ones to ONNX Runtime "
        "or to a plugin."
    )
    parts = report.parts
    if not parts:
        st.caption("There is no part to take out: the parser reached no verdict.")
        return
    chosen = st.selectbox("Part", range(len(parts)), key="support.part", format_func=lambda at: _part_title(parts[at]))
    part = parts[chosen]
    st.download_button(
        "Download the part as ONNX",
        data=lambda: bench.support.extract(model.id, part.indices),
        file_name=f"{model.id}-part-{part.indices[0]}-{part.indices[-1]}.onnx",
        mime="application/octet-stream",
        key="support.extract",
        on_click="ignore",
        icon=":material/content_cut:",
    )
    link_to("models", label="Bring a part in again on Models", icon=":material/deployed_code:")


def _part_title(part: SupportPart) -> str:
    what = "accepted" if part.is_supported else "refused"
    first, last = part.indices[0], part.indices[-1]
    where = f"node {first}" if first == last else f"nodes {first} to {last}"
    return f"{where}, {what} ({text.counted(len(part.indices), 'node')})"
