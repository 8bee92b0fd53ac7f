"""A result as one HTML file that needs nothing else: figures with Plotly inside, tables, findings, conditions.

    report_button(lambda: latency_report(bench, views, comparisons), page="latency", name=run_id)

A `Report` holds plain text only: the renderer escapes all of it. The file asks nothing of any host, and says so to the
browser with a content security policy, so that a hostile name could not either.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pages.ui import text
from pages.ui.save import save_button
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.findings import Finding, most_severe_first
from trt_core.workbench import Workbench

_CELL = 300
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
# Plotly puts what it draws on a server of its own only where somebody asks for it; these leave the button out.
_CONFIG = {"displaylogo": False, "responsive": True, "showTips": False, "plotlyServerURL": ""}


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A Plotly figure with what stands above and below it."""

    title: str
    figure: Any
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of plain values with what stands above and below them."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One result. Every text in it is plain: the renderer escapes it."""

    title: str
    verdict: str
    stamp: str  # what kind of number this is: simulated, ONNX Runtime, an ahead-of-time plan
    facts: Mapping[str, str]
    parts: Sequence[Plot | Table]
    findings: Sequence[Finding] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def report_button(make: Callable[[], Report], *, page: str, name: str) -> None:
    """A button that makes the report when it is pressed; `name` is the result's id and begins the file's name."""
    save_button(
        "Report as one HTML file",
        lambda: render(make()),
        filename=f"{name}-{page}.html",
        mime="text/html",
        key=f"{page}.report",
        help="Figures stay interactive, nothing is loaded from outside. About 5 MB.",
    )


def model_facts(model: ModelRecord) -> dict[str, str]:
    """What a report says of the model."""
    return {
        "Model": model.name,
        "sha256": model.sha256,
        "Inputs": ", ".join(f"{spec.name} {spec.shape_text()} {spec.dtype}" for spec in model.inputs),
        "Nodes": text.count(model.node_count),
        "Parameters": text.big(model.parameters),
        "Opset": str(model.opset),
    }


def versions(bench: Workbench) -> dict[str, str]:
    """What this machine has installed, and what it is."""
    machine = bench.machine.look()
    found = {name: version for name, version in machine.packages if version}
    return {"Python": machine.python, "System": machine.system, "Processor": machine.processor} | found


def render(report: Report) -> str:
    """The report as one HTML document."""
    plots = [part for part in report.parts if isinstance(part, Plot)]
    body = [
        f"<h1>{_text(report.title)}</h1>",
        f'<p class="verdict">{_text(report.verdict)}</p>',
        f'<p class="stamp">{_text(report.stamp)}</p>',
        _facts("Conditions", report.facts),
        *(_plot(part, number) if isinstance(part, Plot) else _table(part) for number, part in enumerate(report.parts)),
        _findings(report.findings),
        _facts("Made on", report.versions),
        f"<footer>Made by Enginescope, {_text(text.clock(time.time()))}.</footer>",
    ]
    scripts = f"<script>{_plotly()}</script>\n<script>{_script()}</script>" if plots else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(report.title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + f"\n</main>\n{scripts}\n</body>\n</html>\n"
    )


def _text(value: str, limit: int = 2_000) -> str:
    return text.markup(value, limit)


def _facts(title: str, facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts.items())
    return f"<section><h2>{_text(title)}</h2><dl>{rows}</dl></section>" if rows else ""


def _plot(part: Plot, number: int) -> str:
    import plotly.graph_objects as go
    import plotly.io

    # A copy: the page may draw the same figure again, in the theme's own colours.
    figure = go.Figure(part.figure).update_layout(template="plotly_white", paper_bgcolor="white", width=None)
    data = json.loads(plotly.io.to_json(figure, validate=False))
    data = {"data": data["data"], "layout": data["layout"], "config": _CONFIG}
    # Inside a script element only "<" could end it or begin a comment.
    inert = json.dumps(data).replace("<", "\\u003c")
    height = int(figure.layout.height or 400)
    return (
        f"<section><h2>{_text(part.title)}</h2>"
        f'<div class="plot" id="plot-{number}" style="height:{height}px"></div>'
        f'<script type="application/json" data-plot="plot-{number}">{inert}</script>{_note(part.note)}</section>'
    )


def _table(part: Table) -> str:
    if not part.rows:
        return ""
    head = "".join(f"<th>{_text(name)}</th>" for name in part.rows[0])
    rows = "".join("<tr>" + "".join(_cell(value) for value in row.values()) + "</tr>" for row in part.rows)
    return (
        f"<section><h2>{_text(part.title)}</h2><div class='wide'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{_note(part.note)}</section>"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, (int, float)):
        order = value if math.isfinite(value) else math.copysign(1e308, value)
        shown = text.count(value) if isinstance(value, int) else text.figure(value)
        return f'<td class="number" data-order="{order!r}">{shown}</td>'
    return f"<td>{_text(str(value), _CELL)}</td>"


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<section><h2>Findings</h2><p>Nothing was found that needs attention.</p></section>"
    items = "".join(_finding(finding) for finding in most_severe_first(tuple(findings)))
    return f"<section><h2>Findings</h2><ul class='findings'>{items}</ul></section>"


def _finding(finding: Finding) -> str:
    parts = [f"<b>{finding.severity.value}</b> {_text(finding.message)}"]
    if finding.remedy:
        parts.append(f"What to do: {_text(finding.remedy)}")
    if finding.nodes:
        parts.append(f"At: {_text(', '.join(finding.nodes[:20]))}")
    if finding.evidence:
        parts.append(f"Evidence: {_text(finding.evidence)}")
    return f'<li class="{finding.severity.value}">{"<br>".join(parts)}</li>'


def _note(note: str) -> str:
    return f'<p class="note">{_text(note)}</p>' if note else ""


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    return Path(__file__).with_name("report.js").read_text(encoding="utf-8")
