"""The report of a search for the nodes that must stay higher."""

from __future__ import annotations

from pages.ui import text
from pages.ui.report import Plot, Report, Table, model_facts, versions
from pages.ui.theme import PRECISION_LABELS
from pages.ui.triage_charts import curve_figure, strip_figure
from pages.ui.triage_view import evaluation_rows, layer_rows
from pages.ui.triage_words import triage_sentence
from trt_core.domain.triage import TriageRun
from trt_core.workbench import Workbench


def triage_report(bench: Workbench, run: TriageRun) -> Report:
    """Everything the page shows of a search, as it was judged on screen."""
    model = bench.library.model(run.model_id)
    return Report(
        title=f"Triage of {model.name}",
        verdict=triage_sentence(run),
        stamp=run.method,
        facts=model_facts(model) | _facts(run),
        parts=[
            Plot(title="Evaluations, by what stays lowered", figure=curve_figure(run, bench.plan_latency.of(run))),
            Plot(title="The plan, in file order", figure=strip_figure(run)),
            Table(title="Kept higher", rows=_kept(run)),
            Table(title="Evaluations", rows=evaluation_rows(run)),
            Table(
                title="Layers",
                rows=layer_rows(run),
                note="Isolated: this layer low, its inputs exact. Accumulated: the whole chain low. Gain: what the "
                "metric gains when this layer alone goes back; an estimate unless measured.",
            ),
        ],
        findings=run.findings,
        versions=versions(bench),
    )


def _kept(run: TriageRun) -> list[dict[str, str]]:
    kept = set(run.after.kept)
    return [
        {"node": entry.node, "in": PRECISION_LABELS[entry.precision]}
        for entry in run.plan.entries
        if entry.node in kept
    ]


def _facts(run: TriageRun) -> dict[str, str]:
    recipe = run.plan.recipe
    return {
        "Search": run.id,
        "Lowered to": PRECISION_LABELS[recipe.precision],
        "Calibration": recipe.method.value if recipe.needs_data else "–",
        "Metric": run.metric,
        "Tolerance": text.figure(run.tolerance),
        "Before and after": f"{text.figure(run.before.metric, digits=4)}, {text.figure(run.after.metric, digits=4)}",
        "Data": run.data,
        "Took": text.seconds(run.seconds),
    }
