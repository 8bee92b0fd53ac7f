"""The report of a divergence run."""

from __future__ import annotations

from pages.ui.divergence_charts import sqnr_figure
from pages.ui.divergence_layer import limits_of
from pages.ui.divergence_run import RunView, answer, facts, layer_rows, origin_rows, output_rows
from pages.ui.divergence_values import values_figure
from pages.ui.report import Plot, Report, Table, model_facts, versions
from trt_core.workbench import Workbench

_MOST_LAYERS = 6


def divergence_report(bench: Workbench, view: RunView) -> Report:
    """Everything the page shows of this run, with the values of the layers where losses begin."""
    run = view.run
    model = bench.library.model(run.model_id)
    parts: list[Plot | Table] = [
        Plot(
            title="SQNR layer by layer",
            figure=sqnr_figure(run, view.curves, view.losses, view.brackets),
            note="Solid: the whole model in that precision. Dotted: each layer alone, on exact inputs. "
            "Flags: where a loss begins.",
        ),
        Table(title="Where it begins", rows=origin_rows(view), note="In order of guilt."),
    ]
    by_index = {layer.index: layer for layer in run.layers}
    wanted = {item.index: None for loss in view.losses for item in loss.origins} or {
        loss.worst.index: None for loss in view.losses
    }
    for index in list(wanted)[:_MOST_LAYERS]:
        layer = by_index[index]
        if layer.histograms:
            figure = values_figure(run, layer, limits_of(bench, view, layer))
            parts.append(Plot(title=f"Values of {layer.name}", figure=figure))
    parts += [Table(title="Outputs", rows=output_rows(run)), Table(title="All layers", rows=layer_rows(run))]
    return Report(
        title=f"Divergence of {model.name}",
        verdict=answer(view, name=str),
        stamp=run.method,
        facts=model_facts(model) | facts(view),
        parts=parts,
        findings=run.findings,
        versions=versions(bench),
    )
