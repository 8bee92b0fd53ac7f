"""One function a command: ask the workbench, give an answer."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

from trt_core.cli import present
from trt_core.cli.accuracy import plan, triage
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.calibration import calibration
from trt_core.cli.inside import across, inside
from trt_core.cli.lab import compare, device_rates, rebuild, sweep, tactics, take_in
from trt_core.cli.outputs import copied
from trt_core.cli.registry import export_project, import_project, registry, retain
from trt_core.cli.report import report
from trt_core.cli.sensitivity import sensitivity
from trt_core.cli.shipping import deploy
from trt_core.cli.validation import validate
from trt_core.cli.wishes import bench_spec, build_spec, diverge_spec, inspect_spec, model_record, quantize_spec
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.findings import counted
from trt_core.errors import InvalidInput, JobError
from trt_core.workbench import Workbench


def inspect(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Layer support."""
    spec = inspect_spec(bench, options)
    report = bench.support.find(spec)
    if report is None:
        finished(bench, bench.support.submit(spec), console)
        report = bench.support.find(spec)
    if report is None:
        raise JobError("The job left no report.", remedy="Run it again.")
    record = bench.library.model(spec.model_id)
    rules = bench.support.model_findings(spec.model_id)
    lines = [f"{record.name}: {len(report.nodes)} nodes, {len(report.unsupported)} refused by {report.target}."]
    lines += [f"  {node.index:4d} {node.op_type} {node.name}: {node.reason}" for node in report.unsupported]
    return Answer(
        plain={"id": bench.support.find_id(spec)} | present.inspection(record, report, rules),
        lines=lines + finding_lines((*report.findings, *rules)),
        exit_code=1 if report.unsupported or report.build_proved is False else 0,
    )


def quantize(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A variant."""
    spec = quantize_spec(bench, options, model_record(bench, options.model).id)
    if bench.variants.find(spec) is None:
        finished(bench, bench.variants.submit(spec), console)
    record = bench.variants.variant(bench.variants.id_of(spec))
    path = copied(bench.variants.path(record.id), options.output)
    lines = [
        f"{record.recipe.precision.value} variant {record.id}: {len(record.quantized_nodes)} nodes quantized, {path}"
    ]
    return Answer(plain=present.variant(record, str(path)), lines=lines + finding_lines(record.findings))


def build(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """An engine and its fusion map."""
    spec = build_spec(bench, options, model_record(bench, options.model).id)
    found = bench.builds.find(spec)
    cached = found is not None
    if found is None:
        bench.builds.check(spec)
        for line in finding_lines(bench.outlook.warnings(spec)):
            console.say(line)
        job = finished(bench, bench.builds.submit(spec), console)
        found = bench.builds.build(str((job.result or {})["build"]))
    path = copied(bench.builds.engine_path(found.id), options.output)
    fusion = bench.builds.fusion(found.id)
    counts = ", ".join(f"{count} {name}" for name, count in found.precisions.items())
    lines = [
        f"{found.id}: {len(fusion.nodes)} nodes became {found.layer_count} layers ({counts}), {found.seconds:.2f} s.",
        fusion.stamp,
        str(path),
    ]
    return Answer(
        plain=present.build(found, bench.builds.engine_record(found.id), fusion, str(path), cached=cached),
        lines=lines + finding_lines(found.findings),
    )


def fusion(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """The fusion map of a build."""
    del console
    found = bench.builds.fusion(options.build_id)
    lines = [found.stamp]
    names = {node.index: node.name for node in found.nodes}
    for layer in found.layers:
        nodes = ", ".join(names[index] for index in layer.nodes)
        lines.append(f"  {layer.index:4d} {layer.precision.value:8s} {layer.kind:16s} {nodes}")
    lines.append(", ".join(f"{count} {state.value}" for state, count in found.state_counts.items()))
    return Answer(plain=present.fusion_map(found), lines=lines)


def bench_command(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A latency run."""
    spec = bench_spec(bench, options)
    job = finished(bench, bench.latency.submit(spec), console)
    run = bench.latency.run(str((job.result or {})["latency"]))
    summary = bench.latency.summary(run.id)
    lines = [
        f"p50 {summary.p50_ms:.3f} ms, p99 {summary.p99_ms:.3f} ms, {summary.throughput_per_s:.1f} inferences/s",
        run.conditions.method,
    ]
    return Answer(plain=present.latency(run, summary), lines=lines + finding_lines(run.findings))


def diverge(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A divergence run, or a look into an engine."""
    if options.inside is not None:
        if options.model is not None:
            raise InvalidInput("diverge was given a model and a build.", remedy="Leave MODEL out with --inside.")
        return inside(bench, options, console)
    if options.model is None:
        raise InvalidInput("diverge was given no model.", remedy="Name one, or an engine with --inside BUILD_ID.")
    if options.backend == "tensorrt":
        return across(bench, options, console)
    spec = diverge_spec(bench, options, model_record(bench, options.model).id)
    job = finished(bench, bench.divergence.submit(spec), console)
    run = bench.divergence.run(str((job.result or {})["divergence"]))
    lines = [run.method]
    for precision, names in run.origin:
        lines.append(f"{precision}: " + (f"begins at {', '.join(names[:5])}" if names else "no layer loses 6 dB"))
    return Answer(plain=present.divergence(run), lines=lines + finding_lines(run.findings, with_evidence=True))


def runs(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """What the workspace holds."""
    del options, console
    models = [_held(bench, record) for record in bench.library.models()]
    recordings = bench.recordings.recordings()
    plain: present.Plain = {"workspace": str(bench.settings.workspace), "models": models}
    plain["data"] = [{"id": item.id, "name": item.name, "samples": item.samples} for item in bench.library.data_sets()]
    plain["recordings"] = [{"id": item.id, "name": item.name, "device": item.device} for item in recordings]
    lines = [
        f"{one['id']} {one['name']}: {counted(len(one['variants']), 'variant')}, {_builds(one['builds'])}"
        for one in models
    ]
    lines += [f"{item.id} {item.name}: recorded{f' on {item.device}' * bool(item.device)}" for item in recordings]
    return Answer(plain=plain, lines=lines or ["The workspace is empty."])


def _builds(builds: list[present.Plain]) -> str:
    parts = Counter(item["made_for"] for item in builds if item["made_for"])
    said = "".join(f", {count} of them {what}" for what, count in parts.items())
    return f"{counted(len(builds), 'build')}{said}"


def _held(bench: Workbench, record: ModelRecord) -> present.Plain:
    """A model with the ids of all that was made from it."""
    return present.model(record) | {
        "variants": [
            {"id": item.id, "precision": item.recipe.precision.value} for item in bench.variants.variants(record.id)
        ],
        "builds": [
            {
                "id": item.id,
                "precision": item.recipe.precision.value,
                "target": item.target,
                "seconds": item.seconds,
                "made_for": item.made_for or None,
            }
            for item in bench.builds.builds(record.id)
        ],
        "support_reports": [{"id": item} for item in bench.support.ids(record.id)],
        "latency_runs": [{"id": item.id, "label": item.label} for item in bench.latency.heads(record.id)],
        "sweeps": [{"id": item.id, "points": len(item.spec.settings)} for item in bench.sweeps.heads(record.id)],
        "divergence_runs": [
            {"id": item.id, "against": list(item.candidates)} for item in bench.divergence.heads(record.id)
        ],
        "looks": [{"id": item.id, "build": item.build_id} for item in bench.inside.heads(record.id)],
        "triage_runs": [
            {"id": item.id, "precision": item.plan.recipe.precision.value} for item in bench.triage.heads(record.id)
        ],
        "sensitivity_runs": [
            {"id": item.id, "against": [part.precision.value for part in item.precisions]}
            for item in bench.sensitivity.heads(record.id)
        ],
        "validation_runs": [{"id": item.id, "subject": item.subject} for item in bench.validation.runs(record.id)],
    }


def jobs(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """List jobs, or cancel one."""
    del console
    if options.action == "cancel":
        if not options.job_id:
            raise InvalidInput("jobs cancel was given no id.", remedy="Write jobs cancel ID.")
        job = bench.jobs.cancel(options.job_id)
        return Answer(plain={"job": present.job(job)}, lines=[f"{job.id}: {job.state.value}, asked to stop"])
    found = bench.jobs.jobs()
    lines = [f"{job.id} {job.state.value:9s} {job.title} {job.error}".rstrip() for job in found]
    return Answer(plain={"jobs": [present.job(job) for job in found]}, lines=lines or ["No job yet."])


def system(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """What this machine can do."""
    del options, console
    machine = bench.machine.look()
    plain = present.machine(machine)
    plain["workspace"] = str(bench.settings.workspace)
    plain["limits"] = {
        "max_workers": bench.settings.max_workers,
        "job_memory_mb": bench.settings.job_memory_mb,
        "quota_mb": bench.settings.quota_mb,
        "upload_mb": bench.settings.upload_mb,
        "jobs_kept": bench.settings.jobs_kept,
        "job_days": bench.settings.job_days,
        "job_logs_mb": bench.settings.job_logs_mb,
    }
    usage = bench.library.usage()
    plain["usage"] = {"used_bytes": usage.used_bytes, "job_bytes": usage.job_bytes, "quota_bytes": usage.quota_bytes}
    lines = [f"{machine.system}, {machine.processor}, {machine.cores} cores, GPUs: {', '.join(machine.gpus) or 'none'}"]
    for item in machine.backends:
        abilities = [name for name in ("parse", "build", "run") if getattr(item, f"can_{name}")]
        lines.append(f"{item.title} {item.version}: {', '.join(abilities) or 'not usable'}")
        lines += [f"  no {ability}: {reason}" for ability, reason in item.missing]
    return Answer(plain=plain, lines=lines)


COMMANDS: dict[str, Callable[[Workbench, argparse.Namespace, Console], Answer]] = {
    "inspect": inspect,
    "quantize": quantize,
    "build": build,
    "fusion": fusion,
    "bench": bench_command,
    "diverge": diverge,
    "triage": triage,
    "sensitivity": sensitivity,
    "plan": plan,
    "validate": validate,
    "deploy": deploy,
    "report": report,
    "registry": registry,
    "retain": retain,
    "export": export_project,
    "import": import_project,
    "import-recordings": take_in,
    "calibration": calibration,
    "compare": compare,
    "tactics": tactics,
    "rebuild": rebuild,
    "device-rates": device_rates,
    "sweep": sweep,
    "runs": runs,
    "jobs": jobs,
    "system": system,
}

__all__ = ["COMMANDS", "Answer", "Console"]
