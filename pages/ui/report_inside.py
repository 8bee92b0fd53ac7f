"""The report of a look into an engine."""

from __future__ import annotations

from pages.ui import text
from pages.ui.inside_charts import look_figure
from pages.ui.inside_rows import check_rows, output_rows, segment_rows, square_rows, step_rows, tensor_rows
from pages.ui.report import Plot, Report, Table, model_facts, versions
from trt_core.analysis.engine_words import answer
from trt_core.domain.engine_divergence import EngineDivergence
from trt_core.workbench import Workbench


def inside_report(bench: Workbench, run: EngineDivergence) -> Report:
    """Everything the page shows of this look; tensors that are not believed stand only in their table, marked so."""
    model = bench.library.model(run.model_id)
    parts: list[Plot | Table] = []
    if run.believed:
        parts.append(Plot(title="Inner tensors that may be believed", figure=look_figure(run)))
    parts += [
        Table(title="Observer check", rows=check_rows(run), note="Did marking change the engine?"),
        Table(title="Inner tensors", rows=tensor_rows(run)),
        Table(title="Cuts", rows=step_rows(run), note="Built with an output there, was the fault there?"),
        Table(
            title="Between the cuts", rows=segment_rows(run), note="Read from another engine than the one looked into."
        ),
        Table(
            title="Four-way square",
            rows=square_rows(run.square) if run.square else [],
            note=run.square.sentence if run.square else "",
        ),
        Table(title="Outputs", rows=output_rows(run)),
    ]
    return Report(
        title=f"Inside the {run.precision.upper()} engine of {model.name}",
        verdict=answer(run),
        stamp=run.method,
        facts=model_facts(model) | _facts(run),
        parts=parts,
        findings=run.findings,
        versions=versions(bench),
    )


def _facts(run: EngineDivergence) -> dict[str, str]:
    return {
        "Engine": run.build_id,
        "Device": f"{run.device}, TensorRT {run.backend_version}",
        "Samples": f"{text.count(run.samples)} of {run.data or 'seeded noise'}, {run.batch} at once",
        "Right from": f"{run.intact_db:g} dB",
        "Opaque": run.opaque or "no",
        "Took": text.seconds(run.seconds),
        "Looked at": text.clock(run.created_at),
    }
