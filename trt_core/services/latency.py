"""Latency runs: asked for, measured, kept with every sample."""

from __future__ import annotations

import uuid
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.backends.tensorrt.native import PIP_LINE
from trt_core.domain.artifacts import ArtifactKind, BuildRecord, checked_id
from trt_core.domain.codec import to_plain
from trt_core.domain.jobs import Job, JobKind, Use
from trt_core.domain.latency import METERS, LatencyRun, LatencySummary, Measured
from trt_core.domain.profile_axes import free_axes, usual_profile
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, check_profile, static_profile
from trt_core.domain.requests import BenchSpec
from trt_core.errors import GpuUnavailable, InvalidData, UnsupportedRequest
from trt_core.protocols import Feeds, Reporter
from trt_core.services.baselines import check_baseline, compared_program, device_of
from trt_core.services.context import Context
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.library import Library
from trt_core.services.origin import check_origin
from trt_core.services.programs import program_names, program_path
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from trt_core.analysis.latency_compare import LatencyComparison
    from trt_core.domain.findings import Finding

_TENSORRT = "tensorrt"


class Latencies:
    """Measure what can be run here, and say what it was measured on."""

    def __init__(self, context: Context, library: Library, variants: Variants) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._kept = KeptRuns(context, ArtifactKind.LATENCY, LatencyRun, _head)

    def model_of(self, subject_id: str) -> str:
        """The model that a model's, a variant's or a build's id leads to."""
        kind = checked_id(subject_id)[0]
        if kind == ArtifactKind.MODEL.value:
            return self._library.model(subject_id).id
        return str(self._context.store.record(subject_id)["model_id"])

    def resolved(self, spec: BenchSpec) -> BenchSpec:
        """The same wish with a shape for every input; refuses what cannot be measured here."""
        self._check_backend(spec)
        inputs = self._library.model(self.model_of(spec.subject_id)).inputs
        given = dict(spec.request.shapes)
        usual = self._usual(spec)
        shapes = []
        for item in inputs:
            ranged = usual.range_of(item.name)
            static = tuple(size for size in item.shape or () if isinstance(size, int))
            shapes.append((item.name, given.pop(item.name, ranged.opt if ranged else static)))
        if given:
            raise InvalidData(f"The model has no input {next(iter(given))!r}.", remedy="See the model's inputs.")
        ranges = (ShapeRange(tensor=name, min=shape, opt=shape, max=shape) for name, shape in shapes)
        check_profile(OptimizationProfile(ranges=tuple(ranges)), inputs)
        return replace(spec, request=replace(spec.request, shapes=tuple(shapes)))

    def _check_backend(self, spec: BenchSpec) -> None:
        if spec.backend == _TENSORRT:
            self._check_gpu()
        if spec.backend not in self._context.meters:
            known = ", ".join(self._context.meters)
            raise UnsupportedRequest(f"There is no meter {spec.backend!r} here.", remedy=f"Use {known}.")
        if spec.backend == _TENSORRT:
            self._check_engine(spec.subject_id)
            return
        self._context.meters[spec.backend].check()
        check_baseline(spec, self._context.settings)

    def _check_gpu(self) -> None:
        """Refuse TensorRT where its package or the GPU is missing."""
        if _TENSORRT not in self._context.meters:
            raise GpuUnavailable(
                "TensorRT latency needs an NVIDIA GPU with the tensorrt package, and this machine has none.",
                remedy=f"On the GPU host install it with: {PIP_LINE}; or measure ONNX Runtime here with --backend ort.",
            )
        found = self._context.compilers.get(_TENSORRT)
        capabilities = found.capabilities() if found is not None else None
        if capabilities is not None and not capabilities.can_run:
            raise GpuUnavailable(f"{capabilities.title} does not run here.", remedy=capabilities.why_not("run"))

    def _check_engine(self, subject_id: str) -> None:
        """TensorRT measures engines that it built."""
        if checked_id(subject_id)[0] != ArtifactKind.BUILD.value:
            raise UnsupportedRequest(f"{subject_id} is no engine.", remedy="Build it with TensorRT, then measure that.")
        request = self._engine(subject_id).request
        if request.backend != _TENSORRT:
            raise UnsupportedRequest(
                f"{subject_id} is an engine of {request.backend}, which TensorRT does not run.",
                remedy="Build the model with TensorRT on this machine.",
            )
        check_origin(self._context.settings, subject_id)

    def _engine(self, build_id: str) -> BuildRecord:
        return self._context.decoded.record(BuildRecord, checked_id(build_id, ArtifactKind.BUILD))

    def usual(self, subject_id: str, batch: int) -> OptimizationProfile:
        """The shapes of a batch where nobody asks for others: of an engine those that its profile is made for."""
        inputs = self._library.model(self.model_of(subject_id)).inputs
        profiles = self.profiles(subject_id)
        if not profiles:
            return static_profile(inputs, batch=batch)
        return usual_profile(inputs, {axis.key: batch for axis in free_axes(inputs) if axis.is_batch}, profiles)

    def profiles(self, subject_id: str) -> tuple[OptimizationProfile, ...]:
        """The optimization profiles of an engine; none of a file."""
        is_engine = checked_id(subject_id)[0] == ArtifactKind.BUILD.value
        return self._engine(subject_id).request.profiles if is_engine else ()

    def _usual(self, spec: BenchSpec) -> OptimizationProfile:
        """Shapes that nobody asked for: of an engine those that it is tuned for, unless a batch was named.

        Open sizes behind the batch are otherwise those of the data, where there are any.
        """
        profiles = self.profiles(spec.subject_id) if spec.backend == _TENSORRT else ()
        # One is what the form and the command line say where nobody chose: an engine is measured at its usual batch.
        if profiles and spec.batch == 1:
            return profiles[0]
        usual = self.usual(spec.subject_id, spec.batch)
        if not spec.data_id:
            return usual
        arrays = self._library.data(spec.data_id).arrays
        sizes = {item.name: tuple(size for size in item.shape or () if isinstance(size, int)) for item in arrays}
        shapes = ((item.tensor, (*item.opt[:1], *sizes.get(item.tensor, item.opt)[1:])) for item in usual.ranges)
        ranges = (ShapeRange(tensor=name, min=shape, opt=shape, max=shape) for name, shape in shapes)
        return replace(usual, ranges=tuple(ranges))

    def programs(self) -> tuple[str, ...]:
        """Exported PyTorch programs that the operator put on this server."""
        return program_names(self._context.settings)

    def submit(self, spec: BenchSpec) -> Job:
        """Queue a measurement; it waits until its device is its own."""
        spec = self.resolved(spec)
        job = Job(
            id="",
            kind=JobKind.BENCH,
            title=f"Latency of {self._label(spec)}",
            request={"spec": to_plain(spec)},
            device=device_of(spec.backend),
            use=Use.EXCLUSIVE,
        )
        return self._context.queue.submit(job)

    def perform(self, spec: BenchSpec, reporter: Reporter) -> LatencyRun:
        """Measure in the calling process, and keep every sample."""
        from trt_core.analysis.latency_findings import run_findings

        spec = self.resolved(spec)
        run = self._run(spec, self.measured(spec, reporter))
        told = self._library.data(spec.data_id).findings if spec.data_id else ()
        run = replace(run, findings=(*told, *run.findings, *run_findings(run)))
        return self._kept.keep(run, parents=(run.model_id, run.subject_id))

    def measured(self, spec: BenchSpec, reporter: Reporter) -> Measured:
        """Measure a resolved wish in the calling process, and keep nothing."""
        meter = self._context.meters[spec.backend]
        path, feeds = self._path(spec.subject_id), self._feeds(spec)
        if not spec.program:
            return meter.measure(path, feeds, spec.request, reporter=reporter)
        program = program_path(self._context.settings, spec.program)
        measured = meter.measure(program, feeds, spec.request, reporter=reporter)
        told = compared_program(program, path, feeds, self._context.runner)
        return replace(measured, findings=(*measured.findings, told))

    def _path(self, subject_id: str) -> Path:
        if subject_id[0] == ArtifactKind.MODEL.value:
            return self._library.model_path(subject_id)
        if subject_id[0] == ArtifactKind.BUILD.value:
            return self._context.store.path(subject_id, "model.engine")
        return self._variants.path(subject_id)

    def _feeds(self, spec: BenchSpec) -> Feeds:
        from trt_core.store.npz import batches, random_feeds

        shapes = dict(spec.request.shapes)
        if not spec.data_id:
            return random_feeds(self._library.model(self.model_of(spec.subject_id)).inputs, shapes)
        wanted = max((shape[0] for shape in shapes.values() if shape), default=1)
        first = next(batches(self._library.data_path(spec.data_id), batch=wanted))
        for name, shape in shapes.items():
            if tuple(first[name].shape) != shape:
                raise InvalidData(
                    f"The data give {name!r} the shape {first[name].shape}, the run wants {shape}.",
                    remedy="Use a batch that the data can fill, or another shape.",
                )
        return first

    def _label(self, spec: BenchSpec) -> str:
        name = self._library.model(self.model_of(spec.subject_id)).name
        if spec.subject_id[0] == ArtifactKind.VARIANT.value:
            name = f"{name}, {self._variants.variant(spec.subject_id).recipe.precision.value.upper()} variant"
        if spec.backend == _TENSORRT:
            name = f"{name}, {self._engine(spec.subject_id).recipe.precision.value.upper()} engine"
        name = f"{name}, program {spec.program}" if spec.program else name
        return f"{name} in {METERS[spec.backend]}, batch {self._batch(spec)}"

    def _run(self, spec: BenchSpec, measured: Measured) -> LatencyRun:
        return LatencyRun(
            id=f"{ArtifactKind.LATENCY.value}-{uuid.uuid4().hex[:12]}",
            subject_id=spec.subject_id,
            model_id=self.model_of(spec.subject_id),
            label=self._label(spec),
            created_at=self._context.clock(),
            **{item.name: getattr(measured, item.name) for item in fields(Measured)}
            | {"conditions": replace(measured.conditions, batch=self._batch(spec))},
        )

    def _batch(self, spec: BenchSpec) -> int:
        """The first size of the first input that leaves it open, else of the first input that has one."""
        inputs = self._library.model(self.model_of(spec.subject_id)).inputs
        shapes = {name: shape for name, shape in spec.request.shapes if shape}
        free = [item.name for item in inputs if item.name in shapes and not isinstance((item.shape or (None,))[0], int)]
        return next((shapes[name][0] for name in (*free, *shapes)), 1)

    def run(self, run_id: str) -> LatencyRun:
        """One run with every sample."""
        return self._kept.run(run_id)

    def heads(self, model_id: str = "") -> list[LatencyRun]:
        """Runs without their samples, newest first; with a model, only its own."""
        return self._kept.heads(model_id)

    def summary(self, run_id: str) -> LatencySummary:
        """The statistics of a run."""
        from trt_core.analysis.latency import summarize

        run = self.run(run_id)
        return summarize(run.samples_ms, wall_s=run.wall_s, batch=run.conditions.batch)

    def compare(self, run_id: str, other_id: str) -> tuple[LatencyComparison, tuple[Finding, ...]]:
        """The ratio of two runs with its interval, and what differs in their conditions."""
        from trt_core.analysis.gpu_findings import clocks_differ
        from trt_core.analysis.latency_compare import compare, conditions_differ

        one, other = self.run(run_id), self.run(other_id)
        differ = (*conditions_differ(one.conditions, other.conditions), *clocks_differ(one.gpu, other.gpu))
        return compare(one.samples_ms, other.samples_ms), differ


def _head(run: LatencyRun) -> LatencyRun:
    return replace(run, samples_ms=(), warmup_ms=(), layers=())
