"""The report of a sweep."""

from __future__ import annotations

from pages.ui import text
from pages.ui.report import Plot, Report, Table, model_facts, versions
from pages.ui.stamp import stamp
from pages.ui.sweep_charts import Limit, matrix_figure, throughput_figure
from pages.ui.sweep_view import conditions_of, point_rows, sweep_sentence
from trt_core.analysis.sweeps import sweet_spot
from trt_core.domain.sweeps import Sweep
from trt_core.workbench import Workbench


def sweep_report(bench: Workbench, sweep: Sweep, limit: Limit) -> Report:
    """Everything the page shows of a sweep under a limit."""
    head = sweep.head
    best = sweet_spot(sweep, limit_ms=limit.ms, percentile=limit.percentile)
    said = conditions_of(sweep, best)
    missing = len(head.spec.settings) - len(sweep.points)
    facts = {
        "Sweep": head.id,
        "Measured": head.spec.subject_id,
        "Points": f"{len(sweep.points)} of {len(head.spec.settings)}" + (", it was stopped" if missing else ""),
        "Samples a point": text.count(head.spec.iterations),
        "Limit": f"{limit.percentile} ≤ {text.milliseconds(limit.ms)}",
        "Begun": text.clock(head.created_at),
    }
    return Report(
        title=f"Sweep of {head.label}",
        verdict=sweep_sentence(best, limit),
        stamp=said,
        facts=model_facts(bench.library.model(head.model_id)) | facts,
        parts=[
            Plot(
                title="Throughput by size and streams", figure=stamp(matrix_figure(sweep.points, best, limit), [said])
            ),
            Plot(title="Throughput over latency", figure=stamp(throughput_figure(sweep.points, best, limit), [said])),
            Table(title="Points", rows=point_rows(sweep.points)),
        ],
        versions=versions(bench),
    )
