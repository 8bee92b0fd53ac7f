"""Divergence inside engines: asked for, looked into, kept."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from trt_core.analysis.origins import origins
from trt_core.analysis.session_errors import Errors
from trt_core.analysis.tensor_groups import border_tensors, comparable_tensors, is_opaque
from trt_core.backends.tensorrt.native import BACKEND, PIP_LINE
from trt_core.domain.artifacts import ArtifactKind, BuildRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.divergence import LayerDivergence, OutputDivergence
from trt_core.domain.engine_divergence import EngineDivergence, FourWay, InsideSpec, Marking
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Job, JobKind, Progress, Use
from trt_core.errors import GpuUnavailable, UnsupportedRequest
from trt_core.observing import EngineObserver
from trt_core.protocols import Reporter
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.engine_cuts import bisect
from trt_core.services.engine_groups import Reading, read_groups
from trt_core.services.engine_look import Look, sampling_of
from trt_core.services.four_way import square_of
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.library import Library
from trt_core.services.origin import check_origin
from trt_core.services.places import GPU
from trt_core.services.variants import Variants

_TENSORRT = BACKEND


class EngineDivergences:
    """Look into engines that were built here."""

    def __init__(self, context: Context, library: Library, variants: Variants, builds: Builds) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._builds = builds
        self._kept = KeptRuns(context, ArtifactKind.INSIDE, EngineDivergence, _head, filename="look.json")

    # Asking ------------------------------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Why no engine can be looked into on this machine, with what helps; empty where it can."""
        observer = self._context.observers.get(_TENSORRT)
        if observer is None:
            return (
                "Divergence inside an engine needs an NVIDIA GPU and TensorRT, and this machine has not got both. "
                f"On a GPU host install TensorRT with: {PIP_LINE}."
            )
        return observer.why_not()

    def builds(self, model_id: str) -> list[BuildRecord]:
        """Engines of a model that can be looked into where there is a GPU, newest first."""
        return [build for build in self._builds.builds(model_id) if build.request.backend == _TENSORRT]

    def check(self, spec: InsideSpec) -> None:
        """Refuse what cannot be looked into, before a job is made.

        Raises GpuUnavailable, UnsupportedRequest for an engine of another backend or from elsewhere, NotFound for data
        that are gone, InvalidData for too few samples.
        """
        build = self._builds.build(spec.build_id)
        if build.request.backend != _TENSORRT:
            raise UnsupportedRequest(
                f"{build.id} is a plan of {build.request.backend} for another GPU: nothing runs it here.",
                remedy="Build the model with --backend tensorrt on a GPU host, and look into that engine.",
            )
        if reason := self.why_not():
            raise GpuUnavailable(reason, remedy="Compare the numerics twins with diverge MODEL instead.")
        check_origin(self._context.settings, build.id)
        self._builds.wish_of(build.id)
        sampling_of(self._library, build, spec)

    def submit(self, spec: InsideSpec) -> Job:
        """Queue a look; it has the GPU alone, because it builds and measures."""
        self.check(spec)
        build = self._builds.build(spec.build_id)
        name = self._library.model(build.model_id).name
        job = Job(
            id="",
            kind=JobKind.INSIDE,
            title=f"Inside the {build.recipe.precision.value.upper()} engine of {name}",
            request={"spec": to_plain(spec)},
            device=GPU,
            use=Use.EXCLUSIVE,
        )
        return self._context.queue.submit(job)

    # Looking -----------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> EngineDivergence:
        """One look with every layer."""
        return self._kept.run(run_id)

    def heads(self, model_id: str) -> list[EngineDivergence]:
        """Looks into a model's engines without their layers, newest first."""
        return self._kept.heads(model_id)

    # Doing -------------------------------------------------------------------------------------------------------

    def perform(self, spec: InsideSpec, reporter: Reporter) -> EngineDivergence:
        """Look in the calling process, and keep what was seen."""
        self.check(spec)
        began = time.perf_counter()
        with self._look(spec, reporter) as look:
            run = self._looked(look)
        run = replace(run, seconds=time.perf_counter() - began)
        return self._kept.keep(run, parents=(run.model_id, run.build_id))

    @contextmanager
    def _look(self, spec: InsideSpec, reporter: Reporter) -> Iterator[Look]:
        reporter.progress(Progress(phase="Loading the engine"))
        build = self._builds.build(spec.build_id)
        observer: EngineObserver = self._context.observers[_TENSORRT]
        folder = self._context.store.scratch_folder()
        try:
            with closing(observer.load(self._builds.engine_path(build.id))) as plain:
                look = Look(
                    spec=spec,
                    build=build,
                    record=self._builds.engine_record(build.id),
                    graph=self._library.graph(build.model_id),
                    file_graph=self._variants.graph(build.request.variant_id),
                    reference=self._library.model_path(build.model_id),
                    request=self._builds.input_of(build.id, reporter),
                    sampling=sampling_of(self._library, build, spec),
                    observer=observer,
                    marking=observer.markings()[0],
                    runner=self._context.runner,
                    plain=plain,
                    reporter=reporter,
                    folder=Path(folder),
                )
                reporter.progress(Progress(phase="Comparing the outputs"))
                look.plain_errors = look.errors(plain, ())
                yield look
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _looked(self, look: Look) -> EngineDivergence:
        square = square_of(look, self._builds, self._variants) if look.spec.square else None
        inner = comparable_tensors(look.file_graph, look.graph)
        borders = border_tensors(look.record, inner)
        opaque = _opaque(look, len(borders), len(inner))
        # Debug tensors exist for engines like this one; outputs would only cut it.
        readable = inner if look.spec.tensors == "all" or (opaque and look.marking is Marking.DEBUG) else borders
        reading = Reading()
        if look.spec.search in ("auto", "groups") and readable:
            reading = read_groups(look, readable)
        run = self._made(look, reading, square, opaque)
        if run.is_intact:  # what an intact engine loses is rounding, wherever it begins
            run = replace(run, origin=())
        # Behind an opaque block, the first tensor that can be read is wrong wherever in the block the fault is.
        unsettled = look.spec.search == "auto" and (opaque or not run.origin)
        if not run.is_intact and (look.spec.search == "bisect" or unsettled):
            run = replace(run, bisection=bisect(look, inner))
        return run

    def _made(self, look: Look, reading: Reading, square: FourWay | None, opaque: str) -> EngineDivergence:
        label = look.build.recipe.precision.value
        layers = _layers(look.graph, reading.tensors, label)
        believed = [layer for layer in layers if layer.tensor in reading.believed]
        return EngineDivergence(
            id=f"{ArtifactKind.INSIDE.value}-{uuid.uuid4().hex[:12]}",
            model_id=look.build.model_id,
            build_id=look.build.id,
            created_at=self._context.clock(),
            precision=label,
            backend_version=look.plain.version,
            device=look.plain.device,
            method=_method(look, self._context.runner.capabilities().version),
            intact_db=look.spec.intact_db,
            samples=look.sampling.samples,
            batch=look.sampling.batch,
            outputs=tuple(
                OutputDivergence(name=name, errors=((label, error),)) for name, error in look.plain_errors.items()
            ),
            layers=layers,
            believed=reading.believed,
            origin=tuple(item.name for item in origins(look.graph, believed, label)),
            groups=tuple(reading.groups),
            square=square,
            opaque=opaque,
            data=look.sampling.data,
            findings=tuple(_findings(look, reading)),
        )


def _opaque(look: Look, borders: int, inner: int) -> str:
    """Why inner tensors of the plain engine are out of sight; empty where its layers are open."""
    layers = look.record.working_layers
    closed = sum(is_opaque(layer) for layer in layers)
    if not closed and (borders or not inner):
        return ""
    blocks = "is an opaque block" if closed == 1 else "are opaque blocks"
    what = f"{closed} of {len(layers)} engine layers {blocks} of the compiler (Myelin)"
    if not closed:
        what = f"The engine's {len(layers)} layers name none of the tensors between them"
    return f"{what}: {borders} of {inner} inner tensors are written in between."


def _method(look: Look, version: str) -> str:
    return (
        f"TensorRT {look.plain.version} on {look.plain.device}, batch {look.sampling.batch}, against ONNX Runtime "
        f"{version} on the CPU, the file as uploaded without graph optimization. {look.sampling.samples} samples. "
        f"Inner tensors come as {look.marking.value} of engines built for it."
    )


def _layers(graph: Graph, errors: Errors, label: str) -> tuple[LayerDivergence, ...]:
    found = []
    for tensor, error in errors.items():
        node = graph.nodes[graph.producer_of[tensor]]
        found.append(
            LayerDivergence(
                index=node.index, name=node.name, op_type=node.op_type, tensor=tensor, accumulated=((label, error),)
            )
        )
    return tuple(sorted(found, key=lambda layer: layer.index))


def _findings(look: Look, reading: Reading) -> Iterator[Finding]:
    if not look.sampling.data:
        yield Finding(
            rule="random-input",
            severity=Severity.WARNING,
            message="The input is seeded noise, not data: errors on real samples differ.",
            remedy="Give an .npz of real samples.",
        )
    if look.sampling.samples < look.spec.samples:
        yield Finding(
            rule="fewer-samples",
            severity=Severity.NOTE,
            message=f"{look.spec.samples} samples were asked for; {look.sampling.samples} fill whole batches.",
        )
    left = (*reading.left_out, *(pair for group in reading.groups for pair in group.refused))
    if left:
        reasons = sorted({reason for _, reason in left})
        yield Finding(
            rule="tensors-left-out",
            severity=Severity.NOTE,
            message=f"{len(left)} inner tensors were not read: {'; '.join(reasons[:3])}.",
            remedy="Raise the budget or the number of builds.",
            evidence=", ".join(name for name, _ in left[:10]),
        )


def _head(run: EngineDivergence) -> EngineDivergence:
    return replace(run, layers=())
