"""Whole runs compared tensor by tensor, sample after sample, with nothing kept but sums."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_core.analysis.error_sums import ErrorSums
from trt_core.analysis.histograms import HistogramSet, strided_sample
from trt_core.domain.divergence import LayerDivergence, OutputDivergence, TensorError
from trt_core.domain.graph import Graph, Node
from trt_core.domain.jobs import Progress
from trt_core.domain.tensors import FLOATING
from trt_core.errors import InvalidData, InvalidInput
from trt_core.protocols import Array, Clock, Feeds, Reporter, Runner, SampleBatches, Session

BASELINE = "fp32"
HISTOGRAM_SAMPLES = 4
_PROGRESS_SECONDS = 0.2
_COMPARING = "Comparing the tensors of every layer"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file to compare with the baseline.

    `tensors` says which of its tensors answers to which tensor of the original model. `isolated` marks a file in which
    every layer reads the baseline's own tensors; `inputs` are those that it is handed instead of computing them.
    """

    label: str  # "fp16", "int8"
    path: Path
    tensors: Mapping[str, str]
    isolated: bool = False
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison found, in the file's order; `not_compared` are nodes whose tensor no candidate has.

    `baseline_nan` is (tensor, elements) for what is NaN in the baseline itself, over all samples.
    """

    layers: tuple[LayerDivergence, ...]
    outputs: tuple[OutputDivergence, ...]
    samples: int
    seconds: float
    not_compared: tuple[int, ...] = ()
    baseline_nan: tuple[tuple[str, int], ...] = ()


def compare_runs(
    graph: Graph,
    baseline: Path,
    candidates: Sequence[Candidate],
    batches: SampleBatches,
    *,
    runner: Runner,
    reporter: Reporter,
    samples: int = 16,
    threads: int = 0,
    histogram_samples: int = HISTOGRAM_SAMPLES,
    clock: Clock = time.perf_counter,
) -> Comparison:
    """Run the baseline and every candidate on the same samples and accumulate each tensor's error.

    `graph` is that of `baseline`. The baseline runs once a sample, the candidates one after another against it, all
    unoptimized, so that memory holds the tensors of one batch of the baseline and of one candidate. Raises InvalidInput
    where there is nothing to compare, InvalidData for no sample, and what the runner raises.
    """
    began = clock()
    watched = _watched(graph, candidates)
    reporter.progress(Progress(phase="Loading the model and its twins", fraction=0.0))
    run = _Run(watched, candidates, histogram_samples)
    reference = runner.load(baseline, extra_outputs=run.asked, optimize=False, threads=threads)
    sessions = [
        runner.load(one.path, extra_outputs=run.wanted(one), optimize=False, threads=threads) for one in candidates
    ]
    done = 0
    for feeds, size in _told(_limited(batches, samples), samples, reporter, clock):
        run.add(reference, sessions, feeds, reporter)
        done += size
    if not done:
        raise InvalidData("There is no sample to compare on.", remedy="Give data with at least one sample.")
    return run.comparison(graph, samples=done, seconds=clock() - began)


def _told(
    fed: Iterator[tuple[Feeds, int]], samples: int, reporter: Reporter, clock: Clock
) -> Iterator[tuple[Feeds, int]]:
    """The same batches; progress is told after each one was used, five times a second at most."""
    done, told = 0, 0.0
    for feeds, size in fed:
        yield feeds, size
        done += size
        if clock() - told >= _PROGRESS_SECONDS or done >= samples:
            told = clock()
            reporter.progress(Progress(phase=_COMPARING, fraction=min(1.0, done / samples), step=done, steps=samples))


def watched_tensor(graph: Graph, node: Node) -> str | None:
    """A node's first floating output, or its first output where the dtype is not known; None where there is none."""
    if node.op_type == "Constant":
        return None
    for name in node.outputs:
        spec = graph.tensors.get(name)
        if name and (spec is None or spec.dtype in FLOATING):
            return name
    return None


def _watched(graph: Graph, candidates: Sequence[Candidate]) -> list[str]:
    shared = {name for one in candidates for name in one.tensors}
    inner = (watched_tensor(graph, node) for node in graph.nodes)
    names = [*inner, *(spec.name for spec in graph.outputs if spec.is_floating)]
    watched = [name for name in dict.fromkeys(names) if name is not None and name in shared]
    if not watched:
        raise InvalidInput("The candidates share no tensor with the model.", remedy="Compare variants of this model.")
    return watched


def _limited(batches: SampleBatches, samples: int) -> Iterator[tuple[Feeds, int]]:
    left = samples
    for feeds in batches():
        # The first axis counts samples; inputs that have fewer axes are shared by all.
        size = max((array.shape[0] for array in feeds.values() if array.ndim), default=1)
        yield feeds, size
        left -= size
        if left <= 0:
            return


class _Run:
    """The sums of one comparison."""

    def __init__(self, watched: Sequence[str], candidates: Sequence[Candidate], histogram_samples: int) -> None:
        self._watched = watched
        handed = dict.fromkeys(name for one in candidates for name in one.inputs)
        self.asked = list(dict.fromkeys((*watched, *handed)))  # of the baseline
        self._candidates = candidates
        self._sums = [{name: ErrorSums() for name in watched if name in one.tensors} for one in candidates]
        self._histograms = {name: HistogramSet() for name in watched}
        self._histogram_runs = histogram_samples
        self._not_floating: set[str] = set()

    def wanted(self, candidate: Candidate) -> list[str]:
        return [candidate.tensors[name] for name in self._watched if name in candidate.tensors]

    def add(self, reference: Session, sessions: Sequence[Session], feeds: Feeds, reporter: Reporter) -> None:
        # One thread reduces: it fills the memory bus, and a second one was measured to be of no use.
        reporter.check()
        known = dict(zip(self.asked, reference.run(feeds, self.asked), strict=True))
        exact = {name: known[name] for name in self._watched}
        known = {**feeds, **known}
        self._not_floating |= {name for name, array in exact.items() if array.dtype.name not in FLOATING}
        sampling = self._histogram_runs > 0
        self._histogram_runs -= 1
        if sampling:
            self._sample(BASELINE, exact)
        for candidate, session, sums in zip(self._candidates, sessions, self._sums, strict=True):
            reporter.check()
            handed = {spec.name: known[spec.name] for spec in session.inputs} if candidate.inputs else feeds
            found = dict(zip(sums, session.run(handed, self.wanted(candidate)), strict=True))
            for name, accumulator in sums.items():
                self._reduce(name, accumulator, exact[name], found[name])
            if sampling and not candidate.isolated:
                self._sample(candidate.label, found)

    def _sample(self, label: str, arrays: Mapping[str, Array]) -> None:
        for name, array in arrays.items():
            if name not in self._not_floating:
                self._histograms[name].add(label, strided_sample(array))

    def _reduce(self, name: str, accumulator: ErrorSums, exact: Array, found: Array) -> None:
        if name in self._not_floating:
            return
        if exact.size != found.size:
            raise InvalidInput(
                f"Tensor {name!r} is {exact.shape} in the model and {found.shape} in the candidate.",
                remedy="Compare variants of this model, made by this program.",
            )
        accumulator.add(exact, found)

    def errors(self, name: str, *, isolated: bool) -> tuple[tuple[str, TensorError], ...]:
        if name in self._not_floating:
            return ()
        pairs = zip(self._candidates, self._sums, strict=True)
        return tuple(
            (one.label, sums[name].result()) for one, sums in pairs if one.isolated is isolated and name in sums
        )

    def comparison(self, graph: Graph, *, samples: int, seconds: float) -> Comparison:
        layers, missing = self.layers(graph)
        return Comparison(
            layers=layers,
            outputs=self.outputs(graph),
            samples=samples,
            seconds=seconds,
            not_compared=missing,
            baseline_nan=self.baseline_nan(),
        )

    def baseline_nan(self) -> tuple[tuple[str, int], ...]:
        counts = ((name, max(one[name].baseline_nan for one in self._sums if name in one)) for name in self._watched)
        return tuple((name, count) for name, count in counts if count)

    def layers(self, graph: Graph) -> tuple[tuple[LayerDivergence, ...], tuple[int, ...]]:
        found, missing = [], []
        for node in graph.nodes:
            tensor = watched_tensor(graph, node)
            if tensor is None:
                continue
            accumulated, isolated = self.errors(tensor, isolated=False), self.errors(tensor, isolated=True)
            if not accumulated and not isolated:
                missing.append(node.index)
                continue
            found.append(
                LayerDivergence(
                    index=node.index,
                    name=node.name,
                    op_type=node.op_type,
                    tensor=tensor,
                    accumulated=accumulated,
                    isolated=isolated,
                    histograms=self._histograms[tensor].result(),
                )
            )
        return tuple(found), tuple(missing)

    def outputs(self, graph: Graph) -> tuple[OutputDivergence, ...]:
        found = ((spec.name, self.errors(spec.name, isolated=False)) for spec in graph.outputs)
        return tuple(OutputDivergence(name=name, errors=errors) for name, errors in found if errors)
