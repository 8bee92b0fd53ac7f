"""The report of a build: what was asked for, what the engine runs in, and what became of every node."""

from __future__ import annotations

from pages.ui import text
from pages.ui.build_charts import precision_figure, stage_figure
from pages.ui.build_result import build_verdict
from pages.ui.fusion_charts import flow_figure
from pages.ui.fusion_strip import layer_figure
from pages.ui.fusion_tables import layer_rows, node_rows, pattern_rows
from pages.ui.fusion_view import fusion_sentence
from pages.ui.report import Plot, Report, Table, model_facts, versions
from pages.ui.stamp import stamp, stamped
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.fusion import FusionMap
from trt_core.workbench import Workbench


def build_report(bench: Workbench, record: BuildRecord, fusion: FusionMap) -> Report:
    """Everything that the build and fusion pages show of one engine."""
    model = bench.library.model(record.model_id)
    says = [fusion.stamp]
    return Report(
        title=f"Engine of {model.name}",
        verdict=f"{build_verdict(record)} {fusion_sentence(fusion)}",
        stamp=fusion.stamp,
        facts=model_facts(model) | _facts(record),
        parts=[
            Plot(title="Requested against actual", figure=stamp(precision_figure(record), says)),
            Plot(title="Engine layers in execution order", figure=stamped(layer_figure(fusion, None), says)),
            Plot(title="Where the ops end", figure=flow_figure(fusion)),
            Table(title="Expected fusions", rows=pattern_rows(fusion)),
            Table(title="Engine layers", rows=layer_rows(fusion, fusion.layers)),
            Table(title="Nodes", rows=node_rows(fusion.nodes)),
            Plot(
                title="Stages of the build",
                figure=stage_figure(record.stages),
                note="Wall time of one run in the worker, on a machine that may have been busy.",
            ),
        ],
        findings=tuple(dict.fromkeys((*record.findings, *fusion.findings))),
        versions=versions(bench),
    )


def _facts(record: BuildRecord) -> dict[str, str]:
    recipe = record.recipe
    return {
        "Build": f"{record.id}, attempt {record.attempt}",
        "Asked for": PRECISION_LABELS[recipe.precision],
        "Unquantized nodes": PRECISION_LABELS[recipe.rest] if recipe.precision.is_quantized else "–",
        "Calibration": f"{recipe.method.value}, data sha256 {recipe.data_sha256}" if recipe.needs_data else "–",
        "Nodes kept": ", ".join(f"{rule.node} in {rule.precision.value.upper()}" for rule in recipe.keep) or "none",
        "Normalized": "yes" if recipe.normalize else "no",
        "Backend": record.backend_version,
        "Target": record.target,
        "Engine": f"{text.mebibytes(record.engine_bytes)}, sha256 {record.engine_sha256}",
        "Parse and build": text.seconds(record.seconds),
        "Built at": text.clock(record.created_at),
    }
