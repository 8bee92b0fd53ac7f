"""One look into an engine: what is compared with what, on which samples, and every marked engine on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

from trt_core.analysis.session_errors import Errors, session_errors, worst
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine import EngineRecord
from trt_core.domain.engine_divergence import InsideSpec, Marking
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData
from trt_core.observing import EngineObserver, MarkedOutput, ObservedSession
from trt_core.protocols import CompileInput, Feeds, Reporter, Runner, SampleBatches, Session
from trt_core.services.library import Library
from trt_core.services.parts import PartReporter

_ROUNDS, _RUNS = 4, 150  # times are taken in turns, so that drift of the clocks meets both engines
_BYTES = 4  # an element of a marked tensor: TensorRT 8.6 hands FP16 out as FP32


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Samples in batches that the engine takes."""

    batches: SampleBatches
    samples: int
    batch: int
    data: str  # "": seeded noise


@dataclass(kw_only=True)
class Look:
    """What one look works with. `built` counts marked engines, failed ones included."""

    spec: InsideSpec
    build: BuildRecord
    record: EngineRecord
    graph: Graph  # the model as uploaded
    file_graph: Graph  # the file that was built
    reference: Path
    request: CompileInput
    sampling: Sampling
    observer: EngineObserver
    marking: Marking
    runner: Runner
    plain: ObservedSession
    reporter: Reporter
    folder: Path
    plain_errors: Errors = field(default_factory=dict)
    built: int = 0
    _sizes: dict[str, int | None] = field(default_factory=dict)
    _now: Progress = field(default_factory=Progress)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The model's floating outputs."""
        return tuple(spec.name for spec in self.graph.outputs if spec.is_floating)

    @property
    def worst_output(self) -> tuple[str, TensorError]:
        """The plain engine's worst output."""
        found = worst(self.plain_errors)
        if found is None:
            raise InvalidData("The model has no floating output to compare.", remedy="Look into another model.")
        return found

    @property
    def builds_left(self) -> int:
        """Marked engines that may still be built."""
        return max(0, self.spec.max_builds - self.built)

    def say(self, phase: str, *, step: int, steps: int) -> None:
        """Tell which of so many builds is next; what the build itself tells is shown inside of that."""
        self._now = Progress(phase=phase, fraction=(step - 1) / steps, step=step, steps=steps)
        self.reporter.progress(self._now)

    @cached_property
    def _halves(self) -> frozenset[str]:
        """Tensors that the plain engine writes in FP16."""
        written = (tensor for layer in self.record.working_layers for tensor in layer.outputs)
        return frozenset(tensor.name for tensor in written if tensor.precision is Precision.FP16)

    def reference_session(self, inner: Sequence[str] = ()) -> Session:
        """ONNX Runtime on the model as uploaded, unoptimized."""
        return self.runner.load(self.reference, extra_outputs=list(inner), optimize=False)

    def marked(self, tensors: Sequence[str]) -> MarkedOutput:
        """Build with marked tensors."""
        self.reporter.check()
        self.built += 1
        part = PartReporter(self.reporter, self._now, share=1 / (self._now.steps or 1))
        return self.observer.build(self.request, tensors, self.marking, halves=self._halves, reporter=part)

    @contextmanager
    def session(self, marked: MarkedOutput) -> Iterator[ObservedSession]:
        """A marked engine, loaded; its file and its memory are gone afterwards."""
        path = self.folder / f"marked-{self.built}.engine"
        path.write_bytes(marked.output.engine)
        with ExitStack() as stack:
            stack.callback(path.unlink)
            session = self.observer.load(path, tensors=marked.tensors, marking=self.marking)
            stack.callback(session.close)
            yield session

    def errors(self, session: Session, inner: Sequence[str]) -> Errors:
        """Errors of a session's outputs and of its inner tensors."""
        names = (*self.outputs, *inner)
        return session_errors(self.reference_session(inner), [(session, names)], self.sampling.batches, self.reporter)[
            0
        ]

    def times_ms(self, session: ObservedSession) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """GPU times of the plain engine and of another one, taken in turns."""
        feeds = next(iter(self.sampling.batches()))
        plain, other = [], []
        for _ in range(_ROUNDS):
            self.reporter.check()
            plain.append(self.plain.times_ms(feeds, _RUNS))
            other.append(session.times_ms(feeds, _RUNS))
        return tuple(chain.from_iterable(plain)), tuple(chain.from_iterable(other))

    def layer_times_ms(self, session: ObservedSession) -> Mapping[str, float]:
        """Times of an engine's layers."""
        return session.layer_times_ms(next(iter(self.sampling.batches())))

    def sizes(self) -> dict[str, int | None]:
        """Bytes of every inner tensor at the shapes that are run; None where they are not known."""
        self._sizes = self._sizes or self._measured()
        return self._sizes

    def _measured(self) -> dict[str, int | None]:
        from trt_core.onnx_graph.inference import infer_types_at, spec_of
        from trt_core.onnx_graph.load import load_model

        feeds = next(iter(self.sampling.batches()))
        model = load_model(self.request.onnx_path, weights=False)
        known = infer_types_at(model, {name: tuple(array.shape) for name, array in feeds.items()}, strict=False).types
        specs = {name: spec_of(name, kind) for name, kind in known.items()}
        return {name: (spec.element_count or 0) * _BYTES if spec.is_static else None for name, spec in specs.items()}


def sampling_of(library: Library, build: BuildRecord, spec: InsideSpec) -> Sampling:
    """Samples in the batch that the engine is tuned for, whole batches only; InvalidData for too few.

    Without data, seeded noise of the usual shapes of the first profile.
    """
    from trt_core.store.npz import batches

    inputs = library.model(build.model_id).inputs
    profile = build.request.profiles[0] if build.request.profiles else OptimizationProfile(ranges=())
    low, high = _batch_range(inputs, profile)
    if not spec.data_id:
        wanted = -(-spec.samples // high)
        noise = partial(_noise, inputs, profile, wanted)
        return Sampling(batches=noise, samples=wanted * high, batch=high, data="")
    data = library.data(spec.data_id)
    size = min(high, data.samples)
    if size < low:
        raise InvalidData(
            f"The data hold {data.samples} samples, and the engine takes {low} at once.", remedy="Give more samples."
        )
    whole = min(-(-spec.samples // size), data.samples // size) * size
    path = library.data_path(spec.data_id)
    return Sampling(batches=partial(batches, path, batch=size, limit=whole), samples=whole, batch=size, data=data.name)


def _batch_range(inputs: Sequence[TensorSpec], profile: OptimizationProfile) -> tuple[int, int]:
    """The smallest and the usual batch of an engine: those of the first input that leaves its batch open."""
    for item in inputs:
        ranged = profile.range_of(item.name)
        if ranged is not None and ranged.opt and item.shape and not isinstance(item.shape[0], int):
            return ranged.min[0], ranged.opt[0]
    fixed = next((size for item in inputs if isinstance(size := (item.shape or (None,))[0], int)), 1)
    return fixed, fixed


def _noise(inputs: Sequence[TensorSpec], profile: OptimizationProfile, count: int) -> Iterator[Feeds]:
    from trt_core.store.npz import random_feeds

    shapes = {item.tensor: item.opt for item in profile.ranges}
    for seed in range(count):
        yield random_feeds(inputs, shapes, seed=seed)
