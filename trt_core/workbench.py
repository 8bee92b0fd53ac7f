"""The facade: wires everything, and is the only thing that pages, command line and worker call."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trt_core.backends.onnxruntime.meter import OrtMeter
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.backends.pytorch.meter import TorchMeter
from trt_core.backends.tensorrt.compiler import TrtCompiler
from trt_core.backends.tensorrt.meter import TrtMeter
from trt_core.backends.tensorrt.observer import TrtObserver
from trt_core.backends.tensorrt.runner import TrtRunner
from trt_core.backends.tensorrt_rtx.compiler import RtxCompiler
from trt_core.domain.codec import from_plain
from trt_core.domain.engine_divergence import InsideSpec
from trt_core.domain.jobs import Job, JobKind
from trt_core.domain.rebuilds import RebuildSpec
from trt_core.domain.recordings import IntakeSpec
from trt_core.domain.requests import (
    BenchSpec,
    BuildSpec,
    DivergeSpec,
    InspectSpec,
    QuantizeSpec,
    SensitivitySpec,
    TriageSpec,
    ValidateSpec,
)
from trt_core.domain.sweeps import SweepSpec
from trt_core.jobs.processes import ProcessLauncher
from trt_core.jobs.pruning import JobShelf, KeepRule, job_files
from trt_core.jobs.queue import JobQueue
from trt_core.jobs.sqlite_log import SqliteJobLog
from trt_core.observing import EngineObserver
from trt_core.protocols import Compiler, Launcher, Meter, Reporter, Runner
from trt_core.services.builds import Builds
from trt_core.services.calibration_caches import CalibrationCaches
from trt_core.services.calibrations import Calibrations
from trt_core.services.context import Context
from trt_core.services.deploy import Deployments
from trt_core.services.device_lab import DeviceLab
from trt_core.services.divergence import Divergences
from trt_core.services.engines import Engines
from trt_core.services.inside import EngineDivergences
from trt_core.services.jobs import Jobs, last_words
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.machine import MachineReport
from trt_core.services.outlook import Outlooks
from trt_core.services.plan_latency import PlanLatencies
from trt_core.services.rebuilds import Rebuilds
from trt_core.services.recording_intake import RecordingIntake
from trt_core.services.recordings import Recordings
from trt_core.services.registry import Registry
from trt_core.services.sensitivity import Sensitivities
from trt_core.services.support import Support
from trt_core.services.sweeps import Sweeps
from trt_core.services.triage import Triages
from trt_core.services.typing_plan import TENSORRT_FOLDER
from trt_core.services.validation import Validations
from trt_core.services.variants import Variants
from trt_core.settings import Settings, settings_from
from trt_core.store.folder_store import FolderStore


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """One workspace and everything that can be done in it."""

    settings: Settings
    library: Library
    support: Support
    variants: Variants
    builds: Builds
    outlook: Outlooks
    latency: Latencies
    divergence: Divergences
    inside: EngineDivergences
    deploy: Deployments
    registry: Registry
    calibrations: Calibrations
    caches: CalibrationCaches
    triage: Triages
    validation: Validations
    sensitivity: Sensitivities
    plan_latency: PlanLatencies
    recordings: Recordings
    intake: RecordingIntake
    engines: Engines
    rebuilds: Rebuilds
    device: DeviceLab
    sweeps: Sweeps
    jobs: Jobs
    machine: MachineReport

    def perform(self, job: Job, reporter: Reporter) -> dict[str, Any]:
        """Do the work of a job in the calling process; the ids of what it made."""
        return _PERFORMERS[job.kind](self, job.request["spec"], reporter)


def open_workbench(
    settings: Settings | None = None,
    *,
    compilers: Mapping[str, Compiler] | None = None,
    runner: Runner | None = None,
    launcher: Launcher | None = None,
    observers: Mapping[str, EngineObserver] | None = None,
    scratch: str = "",
) -> Workbench:
    """The workbench of a workspace, which is made when it is not there; what is not handed in is the real thing."""
    settings = settings or settings_from()
    settings.workspace.mkdir(parents=True, exist_ok=True)
    real = runner or OrtRunner()
    found = _compilers(settings) if compilers is None else compilers
    looking = _observers(settings, real) if observers is None else observers
    context = _context(settings, compilers=found, runner=real, launcher=launcher, scratch=scratch)
    return _wired(replace(context, observers=looking))


def _context(
    settings: Settings, *, compilers: Mapping[str, Compiler], runner: Runner, launcher: Launcher | None, scratch: str
) -> Context:
    beside = (*job_files(settings.workspace), settings.workspace / TENSORRT_FOLDER)
    store = FolderStore(settings.workspace, quota_bytes=settings.quota_mb << 20, scratch=scratch, beside=beside)
    log = SqliteJobLog(settings.workspace / "jobs.sqlite")
    rule = KeepRule(jobs=settings.jobs_kept, days=settings.job_days, log_bytes=settings.job_logs_mb << 20)
    queue = JobQueue(
        log,
        launcher or ProcessLauncher(settings.workspace),
        max_workers=settings.max_workers,
        clear_scratch=store.clear_scratch,
        prune=JobShelf(log, settings.workspace / "jobs", rule).prune,
        last_words=lambda job_id: last_words(settings.workspace, job_id),
    )
    return Context(
        settings=settings,
        store=store,
        jobs=log,
        queue=queue,
        compilers=compilers,
        runner=runner,
        meters=_meters(settings, runner),
    )


def _wired(context: Context) -> Workbench:
    library = Library(context)
    calibrations = Calibrations(context, library)
    variants = Variants(context, library, calibrations)
    recordings = Recordings(context)
    caches = CalibrationCaches(context, library, recordings)
    builds = Builds(context, library, variants, caches)
    latency = Latencies(context, library, variants)
    validations = Validations(context, library, variants, builds)
    return Workbench(
        settings=context.settings,
        library=library,
        support=Support(context, library, builds),
        variants=variants,
        builds=builds,
        outlook=Outlooks(context, library, builds, variants),
        latency=latency,
        divergence=Divergences(context, library, variants),
        inside=EngineDivergences(context, library, variants, builds),
        deploy=Deployments(context, library, variants, builds, latency),
        registry=Registry(context, library, variants, builds, latency),
        calibrations=calibrations,
        caches=caches,
        triage=Triages(context, library, variants, calibrations),
        plan_latency=PlanLatencies(builds, latency, validations),
        sensitivity=Sensitivities(context, library, variants, calibrations, builds),
        validation=validations,
        recordings=recordings,
        intake=RecordingIntake(context, recordings),
        engines=Engines(library, builds, recordings, caches, latency),
        rebuilds=Rebuilds(context, library, builds, latency, _engine_runners(context)),
        sweeps=Sweeps(context, library, latency),
        device=DeviceLab(context),
        jobs=Jobs(context),
        machine=MachineReport(context),
    )


def _compilers(settings: Settings) -> dict[str, Compiler]:
    found: dict[str, Compiler] = {"rtx": RtxCompiler()}
    if _has_tensorrt():
        found["tensorrt"] = TrtCompiler(settings.workspace / TENSORRT_FOLDER, plugins=settings.tensorrt_plugins)
    return found


def _meters(settings: Settings, runner: Runner) -> dict[str, Meter]:
    """A runner that is handed in stands for the whole outside world: then nothing real is measured."""
    if not isinstance(runner, OrtRunner):
        return {}
    meters: list[Meter] = [OrtMeter(runner), OrtMeter(OrtRunner("cuda")), TorchMeter(), TorchMeter("cuda")]
    meters += [TrtMeter(plugins=settings.tensorrt_plugins)] if _has_tensorrt() else []
    return {meter.name: meter for meter in meters}


def _observers(settings: Settings, runner: Runner) -> dict[str, EngineObserver]:
    if not isinstance(runner, OrtRunner) or not _has_tensorrt():
        return {}
    return {"tensorrt": TrtObserver(settings.workspace / TENSORRT_FOLDER, plugins=settings.tensorrt_plugins)}


def _engine_runners(context: Context) -> dict[str, Runner]:
    real = TrtRunner(plugins=context.settings.tensorrt_plugins)  # engines of this machine
    return {"tensorrt": real} if isinstance(context.runner, OrtRunner) and _has_tensorrt() else {}


def _has_tensorrt() -> bool:
    """True where the package can be found; whether it works is the probe's to say."""
    return importlib.util.find_spec("tensorrt") is not None


def _inspect(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    wish = from_plain(InspectSpec, spec)
    bench.support.perform(wish, reporter)
    return {"support": bench.support.id_of(wish), "model": wish.model_id}


def _quantize(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    made = bench.variants.perform(from_plain(QuantizeSpec, spec), reporter)
    return {"variant": made.id, "model": made.model_id}


def _build(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    built = bench.builds.perform(from_plain(BuildSpec, spec), reporter)
    return {"build": built.record.id, "model": built.record.model_id, "cached": built.cached}


def _bench(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.latency.perform(from_plain(BenchSpec, spec), reporter)
    return {"latency": run.id, "model": run.model_id}


def _diverge(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.divergence.perform(from_plain(DivergeSpec, spec), reporter)
    return {"divergence": run.id, "model": run.model_id}


def _triage(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.triage.perform(from_plain(TriageSpec, spec), reporter)
    return {"triage": run.id, "model": run.model_id}


def _sensitivity(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.sensitivity.perform(from_plain(SensitivitySpec, spec), reporter)
    return {"sensitivity": run.id, "model": run.model_id}


def _validate(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.validation.perform(from_plain(ValidateSpec, spec), reporter)
    return {"validation": run.id, "model": run.model_id}


def _sweep(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    sweep = bench.sweeps.perform(from_plain(SweepSpec, spec), reporter)
    return {"sweep": sweep.head.id, "model": sweep.head.model_id}


def _inside(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.inside.perform(from_plain(InsideSpec, spec), reporter)
    return {"inside": run.id, "model": run.model_id, "build": run.build_id}


def _rebuild(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    run = bench.rebuilds.perform(from_plain(RebuildSpec, spec), reporter)
    return {"engine": run.attempts[-1], "rebuild": run.id, "model": run.model_id}


def _intake(bench: Workbench, spec: Any, reporter: Reporter) -> dict[str, Any]:
    return bench.intake.opened(wish := from_plain(IntakeSpec, spec), bench.intake.perform(wish, reporter))


_PERFORMERS: dict[JobKind, Callable[[Workbench, Any, Reporter], dict[str, Any]]] = {
    JobKind.INSPECT: _inspect,
    JobKind.QUANTIZE: _quantize,
    JobKind.BUILD: _build,
    JobKind.BENCH: _bench,
    JobKind.DIVERGE: _diverge,
    JobKind.TRIAGE: _triage,
    JobKind.VALIDATE: _validate,
    JobKind.SENSITIVITY: _sensitivity,
    JobKind.SWEEP: _sweep,
    JobKind.REBUILD: _rebuild,
    JobKind.RATES: lambda bench, _, reporter: {"device": bench.device.perform(reporter).device},
    JobKind.INTAKE: _intake,
    JobKind.INSIDE: _inside,
}


def workspace_of(path: Path | str | None) -> Workbench:
    """The workbench of a folder, other settings from the environment."""
    return open_workbench(settings_from(workspace=Path(path) if path else None))
