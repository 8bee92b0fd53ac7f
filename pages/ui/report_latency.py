"""The report of latency runs."""

from __future__ import annotations

from collections.abc import Sequence

from pages.ui.latency_charts import beyond, ecdf_figure, histogram_figure, node_figure, time_figure, warmup_figure
from pages.ui.latency_runs import RunView, facts
from pages.ui.latency_tables import percentile_table, summary_rows
from pages.ui.latency_view import Comparison, answer, findings_of
from pages.ui.report import Plot, Report, Table, model_facts, versions
from trt_core.analysis.latency_pictures import node_times
from trt_core.workbench import Workbench


def latency_report(bench: Workbench, views: Sequence[RunView], comparisons: Sequence[Comparison]) -> Report:
    """Everything the page shows of these runs."""
    model = bench.library.model(views[0].run.model_id)
    conditions = {
        (f"{view.letter}: {name}" if len(views) > 1 else name): value
        for view in views
        for name, value in facts(view).items()
    }
    parts: list[Plot | Table] = [
        Table(title="Runs", rows=summary_rows(views)),
        Plot(title="Share of samples by latency", figure=ecdf_figure(views), note=beyond(views)),
        Plot(title="Histogram", figure=histogram_figure(views)),
        Plot(title="Samples over time", figure=time_figure(views)),
        Table(
            title="Percentiles", rows=percentile_table(views), note="Interpolated linearly, and by trtexec's own rule."
        ),
    ]
    warm = [view for view in views if view.run.warmup_ms]
    if warm:
        note = "Before the samples; in no statistic."
        parts.append(Plot(title="Cold start", figure=warmup_figure(warm), note=note))
    for view in views:
        if view.run.layers:
            figure = node_figure(node_times(view.run.layers)[:20], view)
            parts.append(Plot(title=f"Slowest nodes of {view.name}, a separate run", figure=figure))
    return Report(
        title=f"Latency of {model.name}",
        verdict=answer(views, comparisons, say=str),
        stamp=views[0].run.conditions.method,
        facts=model_facts(model) | conditions,
        parts=parts,
        findings=findings_of(views, comparisons),
        versions=versions(bench),
    )
