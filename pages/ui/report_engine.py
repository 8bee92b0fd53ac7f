"""The report of one engine, or of two side by side."""

from __future__ import annotations

from pages.ui import text
from pages.ui.engine_attempts import attempt_rows, attempts_sentence, change_rows, output_rows
from pages.ui.engine_charts import roofline_figure, time_bars, transition_figure, treemap
from pages.ui.engine_detail_charts import memory_figure, shapes_figure, tactic_figure
from pages.ui.engine_memory_view import memory_sentence
from pages.ui.engine_roofline import bound_sentence, default_rates, roof_sentence
from pages.ui.engine_spread_charts import build_figure, latency_figure
from pages.ui.engine_tactics import tuned_rows, tunings_of
from pages.ui.engine_two import aligned_rows, compared, comparison_sentence, waterfall_figure
from pages.ui.engine_view import by_precision, by_role, engine_sentence, group_rows, layer_table
from pages.ui.report import Plot, Report, Table, versions
from pages.ui.stamp import stamp
from trt_core.analysis.engine_layers import layer_rows, transitions
from trt_core.analysis.engine_lint import lint
from trt_core.analysis.engine_memory import memory_at, memory_map
from trt_core.analysis.engine_why import why
from trt_core.analysis.roofline import roofline
from trt_core.analysis.tactics import tuning_findings
from trt_core.domain.recordings import EngineStudy
from trt_core.workbench import Workbench

Parts = list[Plot | Table]


def engine_report(bench: Workbench, study: EngineStudy, other: EngineStudy | None = None) -> Report:
    """Everything the page shows of an engine; with another one, why they differ, then the first one by itself."""
    rows = layer_rows(study)
    sentence = engine_sentence(study, rows, say=str)
    findings = lint(study)
    parts: Parts = []
    facts = _facts(study)
    stamps = [study.stamp]
    if other is not None:
        comparison = compared(study, other, study.id, other.id)
        reasons = why(comparison)
        sentence = comparison_sentence(comparison, reasons, name=str, say=str)
        findings = (*reasons, *findings)
        if comparison.first.has_times and comparison.second.has_times:
            note = "Layer times come from profiled runs and add up to more than the engine takes: read the differences."
            parts.append(Plot(title="From the first to the second", figure=waterfall_figure(comparison), note=note))
        parts.append(Table(title="Aligned groups, the largest change first", rows=aligned_rows(comparison)))
        facts |= {f"Compared: {name}": value for name, value in _facts(other).items()}
        stamps = list(dict.fromkeys((study.stamp, other.stamp)))
    parts += [*_time(study), *_memory(study), *_tactics(study), *_attempts(bench, study)]
    parts.append(Table(title="Layers", rows=layer_table(rows)))
    tuned = tuning_findings(tunings_of(study), study.tuning) if study.tuning is not None else ()
    return Report(
        title=f"Engine {study.title}" + (f" against {other.title}" if other is not None else ""),
        verdict=sentence,
        stamp=" ".join(stamps),
        facts=facts,
        parts=parts,
        findings=tuple(dict.fromkeys((*findings, *tuned))),
        versions=versions(bench),
    )


def _attempts(bench: Workbench, study: EngineStudy) -> Parts:
    """How far attempts at the request of a build spread; nothing for a recording, or one attempt."""
    if study.id.startswith("r-"):
        return []
    found = bench.engines.rebuilds(study.id)
    run = bench.rebuilds.latest(study.id)
    if len(found.attempts) < 2:
        return []
    note = attempts_sentence(found, run)
    parts: Parts = [Plot(title="Attempts at this request", figure=stamp(build_figure(found), [study.stamp]), note=note)]
    if run is not None and run.latency:
        parts.append(Plot(title="Latency by attempt", figure=stamp(latency_figure(run.latency), [run.stamp])))
    parts.append(Table(title="Attempts", rows=attempt_rows(found, run), note=run.not_run if run is not None else ""))
    parts.append(Table(title="Layers that differ between attempts", rows=change_rows(found)))
    if run is not None:
        parts.append(Table(title="Outputs against the first attempt's", rows=output_rows(run)))
    return parts


def _facts(study: EngineStudy) -> dict[str, str]:
    return {
        "Engine": f"{study.title} ({study.id})",
        "Project": study.project,
        "Device": study.device or "not said",
        "Batch": str(study.batch or "not said"),
        "Latency, p50": text.milliseconds(study.total_ms),
        "As a CUDA graph": text.milliseconds(study.graph_ms),
        "Sum of layers in a profiled run": text.milliseconds(study.layers_ms or None),
        "Layers": text.count(len(study.record.working_layers)),
        "They run in": ", ".join(f"{count} {name.upper()}" for name, count in study.record.precisions.items()),
    }


def _time(study: EngineStudy) -> Parts:
    rows = layer_rows(study)
    title = "Time by layer" if study.has_times else "Bytes by layer: no times were recorded"
    parts: Parts = [
        Plot(title=title, figure=stamp(time_bars(rows), [study.stamp])),
        Table(title="By what the layers are there for", rows=group_rows(by_role(rows), study)),
        Table(title="By precision", rows=group_rows(by_precision(rows), study)),
    ]
    if study.has_times:
        rates = default_rates(study)
        points = roofline(rows, rates)
        figure = stamp(roofline_figure(points, rates), [roof_sentence(study, rates), study.stamp])
        parts += [
            Plot(title="Time by role and layer", figure=stamp(treemap(rows), [study.stamp])),
            Plot(title="Roofline", figure=figure, note=bound_sentence(points)),
        ]
    if found := transitions(study):
        parts.append(Plot(title="Precision transitions", figure=stamp(transition_figure(found), [study.stamp])))
    return parts


def _memory(study: EngineStudy) -> Parts:
    memory = memory_map(study)
    if not memory.lifetimes:
        return []
    note = "An estimate from the execution order: the builder may place otherwise."
    figure = stamp(memory_figure(memory, study.record.activation_bytes), [study.stamp])
    parts: Parts = [Plot(title="Activations over the execution order", figure=figure, note=note)]
    if found := memory_at(study):
        by_batch = stamp(shapes_figure(found, study.record.activation_bytes), [study.stamp])
        parts.append(Plot(title="Memory by batch", figure=by_batch, note=memory_sentence(study, say=str)))
    return parts


def _tactics(study: EngineStudy) -> Parts:
    tunings = [item for item in tunings_of(study) if item.candidates]
    if not tunings:
        return []
    return [
        Plot(title="Tactics over the chosen one", figure=stamp(tactic_figure(tunings), [study.stamp])),
        Table(title="Tuned layers", rows=tuned_rows(tunings)),
    ]
