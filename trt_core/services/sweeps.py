"""Sweeps: asked for, measured point by point, taken up again."""

from __future__ import annotations

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.jobs import Job, JobKind, Progress, Use
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.requests import BenchSpec
from trt_core.domain.sweeps import Setting, Shapes, Sweep, SweepHead, SweepPoint, SweepSpec, shapes_along
from trt_core.errors import BackendError, InvalidInput
from trt_core.protocols import Reporter
from trt_core.services.baselines import device_of
from trt_core.services.context import Context, content_id
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.quiet import QuietReporter


class Sweeps:
    """Measure one file at many settings; every finished point is kept at once."""

    def __init__(self, context: Context, library: Library, latency: Latencies) -> None:
        self._context = context
        self._library = library
        self._latency = latency

    def id_of(self, spec: SweepSpec) -> str:
        """The id of a sweep: the same wish is the same sweep, whatever of it is done."""
        wish = to_plain(spec)
        if not spec.transfers:
            del wish["transfers"]  # sweeps from before there was a choice keep their ids
        return content_id(ArtifactKind.SWEEP, wish)

    def along(self, subject_id: str, axis: str, values: tuple[int, ...]) -> tuple[Shapes, ...]:
        """The shapes of a sweep over one open axis; all other sizes are those that an engine's profile is made for."""
        inputs = self._library.model(self._latency.model_of(subject_id)).inputs
        return shapes_along(inputs, axis, values, profiles=self._latency.profiles(subject_id))

    def check(self, spec: SweepSpec) -> None:
        """Refuse what cannot be measured here, before anything is queued: the smallest point stands for all."""
        self._latency.resolved(self._bench(spec, spec.settings[0]))

    def submit(self, spec: SweepSpec) -> Job:
        """Queue a sweep; finished points of the same sweep are not measured again."""
        self.check(spec)
        model = self._library.model(self._latency.model_of(spec.subject_id))
        job = Job(
            id="",
            kind=JobKind.SWEEP,
            title=f"Sweep of {model.name}: {len(spec.settings)} points",
            request={"spec": to_plain(spec)},
            device=device_of(spec.backend),
            use=Use.EXCLUSIVE,
        )
        return self._context.queue.submit(job)

    def perform(self, spec: SweepSpec, reporter: Reporter) -> Sweep:
        """Measure what is missing, and again what failed, in the calling process: memory may suffice by now."""
        sweep_id = self._begin(spec)
        settings = spec.settings
        for number, setting in enumerate(settings):
            if self._is_measured(_point_id(sweep_id, number)):
                continue
            reporter.check()
            streams = "one stream" if setting.streams == 1 else f"{setting.streams} streams"
            words = f"Batch {setting.batch}, {streams}"
            reporter.progress(
                Progress(phase=words, fraction=number / len(settings), step=number + 1, steps=len(settings))
            )
            point = self._measure(spec, setting, QuietReporter(reporter))
            self._keep(sweep_id, number, point)
        return self.sweep(sweep_id)

    def _is_measured(self, point_id: str) -> bool:
        store = self._context.store
        return store.has(point_id) and not from_plain(SweepPoint, store.record(point_id)).error

    def _keep(self, sweep_id: str, number: int, point: SweepPoint) -> None:
        store, point_id = self._context.store, _point_id(sweep_id, number)
        if store.has(point_id):  # it failed before: what is there already would stay
            store.delete(point_id)
        store.put(ArtifactKind.SWEEP, point_id, point, {}, parents=(sweep_id,))

    def _begin(self, spec: SweepSpec) -> str:
        sweep_id = self.id_of(spec)
        model = self._library.model(self._latency.model_of(spec.subject_id))
        head = SweepHead(id=sweep_id, model_id=model.id, label=model.name, created_at=self._context.clock(), spec=spec)
        parents = tuple(dict.fromkeys((model.id, spec.subject_id)))
        self._context.store.put(ArtifactKind.SWEEP, sweep_id, head, {}, parents=parents)
        return sweep_id

    def _measure(self, spec: SweepSpec, setting: Setting, reporter: Reporter) -> SweepPoint:
        from trt_core.analysis.latency import summarize

        try:
            wish = self._latency.resolved(self._bench(spec, setting))
            measured = self._latency.measured(wish, reporter)
        except (BackendError, InvalidInput) as error:
            return SweepPoint(setting=setting, error=str(error))
        batch = measured.conditions.batch
        summary = summarize(measured.samples_ms, wall_s=measured.wall_s, batch=batch)
        return SweepPoint(setting=setting, summary=summary, conditions=measured.conditions)

    def _bench(self, spec: SweepSpec, setting: Setting) -> BenchSpec:
        """One point as a measurement. Its shapes are spelled out: left open, an engine would take its profile's own."""
        usual = self._latency.usual(spec.subject_id, setting.batch)
        request = LatencyRequest(
            shapes=setting.shapes or tuple((item.tensor, item.opt) for item in usual.ranges),
            warmup=spec.warmup,
            iterations=spec.iterations,
            streams=setting.streams,
            threads=spec.threads,
            cuda_graph=spec.cuda_graph,
            transfers=spec.transfers,
            profile_layers=False,
        )
        return BenchSpec(subject_id=spec.subject_id, request=request, backend=spec.backend, batch=setting.batch)

    def sweep(self, sweep_id: str) -> Sweep:
        """A sweep with the points that are there."""
        store = self._context.store
        head = from_plain(SweepHead, store.record(checked_id(sweep_id, ArtifactKind.SWEEP)))
        found = (_point_id(sweep_id, number) for number in range(len(head.spec.settings)))
        points = tuple(from_plain(SweepPoint, store.record(item)) for item in found if store.has(item))
        return Sweep(head=head, points=points)

    def heads(self, model_id: str = "") -> list[SweepHead]:
        """Sweeps, newest first; with a model, only its own."""
        store = self._context.store
        found = store.ids(ArtifactKind.SWEEP, parent=model_id or None)
        return [from_plain(SweepHead, store.record(item)) for item in found if len(item) == _HEAD_LENGTH]

    def delete(self, sweep_id: str) -> int:
        """Remove a sweep with its points; the bytes freed."""
        return self._context.store.delete(checked_id(sweep_id, ArtifactKind.SWEEP))


_HEAD_LENGTH = len("w-") + 12


def _point_id(sweep_id: str, number: int) -> str:
    return f"{sweep_id}-{number + 1}"
