"""The report of layer support."""

from __future__ import annotations

from pages.ui.report import Plot, Report, Table, model_facts, versions
from pages.ui.stamp import stamped
from pages.ui.support_report import level_of, strip, support_sentence
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.support import SupportReport
from trt_core.workbench import Workbench

_PROOF = {True: "a build succeeded", False: "a build failed", None: "no build was tried"}


def support_report(bench: Workbench, model: ModelRecord, report: SupportReport) -> Report:
    """Every node with its answer, how far that is proved, and the remedy."""
    said = f"{report.backend_version}, {report.target or 'this machine'}: {_PROOF[report.build_proved]}."
    rows = [
        {
            "#": node.index,
            "node": node.name,
            "op": f"{node.domain}::{node.op_type}" if node.domain else node.op_type,
            "level": level_of(node),
            "reason": node.reason,
            "remedy": node.remedy,
        }
        for node in report.nodes
    ]
    return Report(
        title=f"Support of {model.name}",
        verdict=support_sentence(report).replace("`", ""),
        stamp=said,
        facts=model_facts(model) | {"Backend": report.backend_version, "Target": report.target or "this machine"},
        parts=[
            Plot(title="Nodes in file order, by proof", figure=stamped(strip(report), [said])),
            Table(title="Nodes", rows=rows),
        ],
        findings=(*report.findings, *bench.support.model_findings(model.id)),
        versions=versions(bench),
    )
