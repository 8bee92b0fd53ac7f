"""The commands of the latency lab: recordings in, two engines compared, tactics, sweeps."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.wishes import ARTIFACT_ID, model_record
from trt_core.domain.codec import to_plain
from trt_core.domain.findings import Finding
from trt_core.domain.rebuilds import RebuildSpec
from trt_core.domain.recordings import EngineStudy
from trt_core.domain.sweeps import Setting, SweepSpec
from trt_core.domain.tactics import Tuning
from trt_core.errors import InvalidInput, JobError, NotFound
from trt_core.workbench import Workbench

AddCommand = Callable[[str, str], argparse.ArgumentParser]


def lab_arguments(command: AddCommand) -> None:
    """The grammar of the lab's commands."""
    taken = command("import-recordings", "Take in engines recorded elsewhere: trtexec's exports, TREx folders, logs.")
    taken.add_argument(
        "folder", type=Path, metavar="FOLDER", nargs="?", help="default: those that come with the samples"
    )
    taken.add_argument("--device", default="", help="what they were recorded on")
    taken.add_argument("--tensorrt", default="", metavar="8.6.0", help="with which version")
    two = command("compare", "Why one engine is faster than another: recordings or builds.")
    two.add_argument("first", metavar="ENGINE")
    two.add_argument("second", metavar="ENGINE")
    tactics = command("tactics", "Every tactic that auto-tuning timed for an engine.")
    tactics.add_argument("engine", metavar="ENGINE")
    command("device-rates", "Measure what the GPU reaches: copies, and products in every precision.")
    rebuild = command("rebuild", "Build a request again and again, and say how far the attempts spread.")
    rebuild.add_argument("build_id", metavar="BUILD_ID")
    rebuild.add_argument("--times", type=int, default=5, help="further builds")
    rebuild.add_argument("--keep-timings", action="store_true", help="let the timing cache hand out the same tactics")
    rebuild.add_argument("--no-measure", action="store_true", help="build only: no latency, no outputs")
    rebuild.add_argument("--iterations", type=int, default=500)
    rebuild.add_argument("--rounds", type=int, default=2, help="measurements of each attempt, in turn")
    sweep = command("sweep", "Measure batches and streams, and name the sweet spot under a latency limit.")
    sweep.add_argument("model", metavar="MODEL|BUILD_ID")
    sweep.add_argument("--batches", default="1,2,4,8")
    sweep.add_argument("--streams", default="1")
    sweep.add_argument("--axis", default="", help="sweep this open axis in place of the batch: a symbol, or input[1]")
    sweep.add_argument("--sizes", default="", metavar="64,128", help="the sizes of --axis")
    sweep.add_argument("--iterations", type=int, default=200)
    sweep.add_argument("--warmup", type=int, default=10)
    sweep.add_argument("--threads", type=int, default=0)
    sweep.add_argument("--backend", choices=("ort", "ort-cuda", "tensorrt"), default="ort")
    sweep.add_argument("--cuda-graph", action="store_true")
    sweep.add_argument("--transfers", action="store_true", help="copies to the GPU and back belong to every sample")
    sweep.add_argument("--limit-ms", type=float, help="default: none")
    sweep.add_argument("--percentile", choices=("p50", "p90", "p95", "p99"), default="p99")


def take_in(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Recordings of a folder, or those that come with the samples."""
    if options.folder is None:
        finished(bench, bench.intake.submit_samples(), console)
        found = bench.recordings.recordings()
    else:
        found = bench.recordings.add_folder(options.folder, device=options.device, version=options.tensorrt)
    lines = [f"{item.id} {item.name}: {item.layer_count} layers, {item.timing_count} tactics timed" for item in found]
    keys = ("id", "project", "name", "layer_count", "p50_ms", "sample_count", "timing_count", "has_layer_times")
    entries = [{key: getattr(item, key) for key in keys} | {"asked": item.asked.value} for item in found]
    return Answer(plain={"recordings": entries}, lines=lines)


def compare(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Two engines, aligned."""
    from trt_core.analysis.engine_compare import compare_engines
    from trt_core.analysis.engine_why import why

    del console
    comparison = compare_engines(study_of(bench, options.first), study_of(bench, options.second))
    findings = why(comparison)
    sides = {name: _side(study) for name, study in (("first", comparison.first), ("second", comparison.second))}
    steps = [{"cause": step.cause.value, "groups": step.groups, "delta_ms": step.delta_ms} for step in comparison.steps]
    groups = [
        {
            "nodes": list(group.nodes),
            "cause": group.cause.value,
            "first_ms": group.first_ms,
            "second_ms": group.second_ms,
            "first_layers": [row.name for row in group.first],
            "second_layers": [row.name for row in group.second],
            "tactic_changed": group.tactic_changed,
            "precision_changed": group.precision_changed,
        }
        for group in comparison.groups
    ]
    lines = [_answer(comparison.first, comparison.second)]
    lines += [f"{side['title']}: {side['layers_ms']:.4g} ms in layers" for side in sides.values()]
    lines += [f"  {step.delta_ms * 1000:+8.1f} µs  {step.cause.value}" for step in comparison.steps]
    plain = sides | {
        "aligned_by": comparison.alignment.value,
        "steps": steps,
        "groups": groups,
        "findings": _plain_findings(findings),
    }
    return Answer(plain=plain, lines=lines + finding_lines(findings))


def _answer(first: EngineStudy, second: EngineStudy) -> str:
    """How much faster the second engine is, by the samples of runs without a profiler."""
    from trt_core.analysis.latency_compare import Verdict
    from trt_core.analysis.latency_compare import compare as ratio

    if len(first.samples_ms) < 2 or len(second.samples_ms) < 2:
        return f"{second.title} against {first.title}: no samples, so no ratio"
    found = ratio(first.samples_ms, second.samples_ms)
    low, high = found.ratio_ci95
    if found.verdict is Verdict.CANNOT_TELL:
        return f"{second.title} and {first.title} cannot be told apart: {found.ratio:.3f}x ({low:.3f} to {high:.3f})"
    return f"{first.title} takes {found.ratio:.3f}x ({low:.3f} to {high:.3f}) the time of {second.title}"


def _plain_findings(findings: tuple[Finding, ...]) -> list[object]:
    return [to_plain(item) for item in findings]


def _side(study: EngineStudy) -> dict[str, object]:
    return {
        "id": study.id,
        "title": study.title,
        "p50_ms": study.total_ms,
        "layers_ms": study.layers_ms,
        "precisions": study.record.precisions,
    }


def tactics(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Auto-tuning, layer by layer."""
    from trt_core.analysis.tactics import layer_tunings, tuning_findings

    del console
    study = study_of(bench, options.engine)
    tuning = study.tuning or Tuning()
    found = layer_tunings(tuning, study.record, [fact.tactic for fact in study.facts] or None)
    findings = tuning_findings(found, tuning)
    spent = sum(trial.seconds for trial in tuning.trials)
    lines = [f"{tuning.timing_count} tactics timed in {spent:.3g} s, {len(tuning.trials)} combinations of formats"]
    for item in found:
        if item.chosen is not None:
            gap = f", second {item.gap:+.1%}" if item.gap is not None else ""
            lines.append(f"  {item.chosen.time_ms * 1000:8.2f} µs  {item.layer}{gap}")
    layers = [to_plain(item) | {"gap": item.gap} for item in found]
    plain = {"timings": tuning.timing_count, "timing_s": spent, "layers": layers}
    return Answer(plain=plain | {"findings": _plain_findings(findings)}, lines=lines + finding_lines(findings))


def device_rates(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """What the GPU reaches, measured now; rooflines take it from then on."""
    del options
    finished(bench, bench.device.submit(), console)
    rates = bench.device.measured()[0]
    lines = [f"{rates.bandwidth_gb_s:8.0f} GB/s  {rates.label}"]
    lines += [f"{rate:8.1f} tera-operations/s in {precision.value}" for precision, rate in rates.tera_ops]
    return Answer(plain=to_plain(rates), lines=lines)


def rebuild(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """N further attempts at the request of a build, compared."""
    from trt_core.analysis.rebuilds import latency_spread

    spec = RebuildSpec(
        build_id=options.build_id,
        times=options.times,
        fresh_timings=not options.keep_timings,
        measure=not options.no_measure,
        iterations=options.iterations,
        rounds=options.rounds,
    )
    done = finished(bench, bench.rebuilds.submit(spec), console)
    run = bench.rebuilds.run(str((done.result or {})["rebuild"]))
    plans = bench.engines.rebuilds(run.build_id)
    apart = latency_spread(run.latency)
    same = "every layer the same" if plans.same_layers else f"{len(plans.changes)} layers differ"
    made = f"{len(plans.attempts)} attempts, {plans.distinct_engines} distinct engines"
    lines = [f"{made}, {same}; {plans.mean_s:.3g} ± {plans.std_s:.2g} s a build"]
    lines += [f"  {item.build_id}  p50 {', '.join(f'{r.p50_ms:.4f}' for r in item.rounds)} ms" for item in run.latency]
    if apart is not None:
        within = f", one engine measured again {apart.within:.1%}" if apart.within is not None else ""
        lines.append(f"p50 {apart.lowest_ms:.4f} to {apart.highest_ms:.4f} ms: {apart.between:.1%} apart{within}")
    lines += [f"  {item.name}: {item.identical} with the same bits, rel L2 {item.rel_l2:.2g}" for item in run.outputs]
    lines += [f"no latency and no outputs: {run.not_run}"] if run.not_run else []
    plain = to_plain(run) | {"plans": to_plain(plans), "latency_spread": to_plain(apart)}
    return Answer(plain=plain, lines=lines)


def sweep(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A matrix of batches and streams; exit code 1 when no point keeps the limit."""
    from trt_core.analysis.sweeps import sweet_spot

    subject = options.model if ARTIFACT_ID.fullmatch(options.model) else model_record(bench, options.model).id
    if bool(options.axis) != bool(options.sizes):
        raise InvalidInput("--axis and --sizes belong together.", remedy="Give both, or neither.")
    shapes = bench.sweeps.along(subject, options.axis, _numbers(options.sizes)) if options.axis else ()
    spec = SweepSpec(
        subject_id=subject,
        batches=(1,) if shapes else _numbers(options.batches),
        streams=_numbers(options.streams),
        shapes=shapes,
        backend=options.backend,
        warmup=options.warmup,
        iterations=options.iterations,
        threads=options.threads,
        cuda_graph=options.cuda_graph,
        transfers=options.transfers,
    )
    finished(bench, bench.sweeps.submit(spec), console)
    found = bench.sweeps.sweep(bench.sweeps.id_of(spec))
    limit = options.limit_ms if options.limit_ms is not None else float("inf")
    best = sweet_spot(found, limit_ms=limit, percentile=options.percentile)
    lines = [
        f"  {_size(point.setting)}  streams {point.setting.streams:2d}  p99 {point.summary.p99_ms:.3f} ms  "
        f"{point.summary.throughput_per_s:.1f}/s"
        if point.summary is not None
        else f"  {_size(point.setting)}  streams {point.setting.streams:2d}  {point.error}"
        for point in found.points
    ]
    setting = best.setting if best is not None else None
    measured = any(point.summary is not None for point in found.points)
    missed = "no point keeps the limit" if measured else "no point could be measured"
    said = f"sweet spot: {_size(setting)}, {setting.streams} streams" if setting else missed
    plain = {"sweep": found.head.id, "points": [to_plain(item) for item in found.points], "best": to_plain(setting)}
    return Answer(plain=plain, lines=[*lines, said], exit_code=0 if setting else 1 if measured else JobError.exit_code)


def _size(setting: Setting) -> str:
    if not setting.shapes:
        return f"batch {setting.batch}"
    return ", ".join(f"{name} {'x'.join(map(str, dims))}" for name, dims in setting.shapes)


def _numbers(words: str) -> tuple[int, ...]:
    parts = [word.strip() for word in words.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InvalidInput(f"{words[:60]!r} is no list of whole numbers.", remedy="Write 1,2,4.")
    return tuple(dict.fromkeys(map(int, parts)))


def study_of(bench: Workbench, text: str) -> EngineStudy:
    """An engine by its id, or a recording by its name."""
    if ARTIFACT_ID.fullmatch(text):
        return bench.engines.study(text)
    named = [item for item in bench.recordings.recordings() if item.name == text]
    if not named:
        raise NotFound(f"There is no engine {text[:80]!r}.", remedy="Give the id of a build, or import a recording.")
    return bench.engines.study(max(named, key=lambda item: item.created_at).id)
