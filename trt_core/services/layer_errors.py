"""Isolated and accumulated errors of the layers of one or more subjects of a model, and what ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trt_core.analysis.activation_stats import LARGEST_FP8, ActivationStats
from trt_core.analysis.divergence import Candidate, Comparison, compare_runs
from trt_core.analysis.sensitivity import rank_units
from trt_core.domain.divergence import LayerDivergence
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Precision
from trt_core.domain.triage import ActivationFacts, Unit, UnitSensitivity
from trt_core.protocols import Reporter, Runner, SampleBatches
from trt_core.services.subject import Subject

if TYPE_CHECKING:
    from trt_core.precision.tails import Trunk

_HALVES_SAMPLES = 4
_SENSITIVE = frozenset({"Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization"})


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """What the ranking samples say: the layers with every subject's errors, each subject's units, the inputs seen.

    `units` are in the order of the subjects, most suspicious first. `inputs` are name, op type and facts of the input
    of every softmax and normalization node.
    """

    comparison: Comparison
    units: tuple[tuple[UnitSensitivity, ...], ...]
    inputs: tuple[tuple[str, str, ActivationFacts], ...]


class Ranking:
    """Measures subjects of one model, each with the trunk that was made of its plain twin, on the same samples."""

    def __init__(
        self,
        baseline: Path,
        batches: SampleBatches,
        *,
        folder: Path,
        runner: Runner,
        reporter: Reporter,
        samples: int,
    ) -> None:
        self._baseline, self._batches, self._samples = baseline, batches, samples
        self._folder, self._runner, self._reporter = folder, runner, reporter

    def of(self, subjects: Sequence[tuple[Subject, tuple[Path, Trunk]]]) -> Ranked:
        """Every subject's errors, accumulated and isolated, and their units in order of suspicion.

        The baseline runs once a sample for all. Whose an isolated error is, that of the weights or of the activations,
        is looked at on the first few samples only: it says whose the error is, not how large.
        """
        graph = subjects[0][0].graph
        candidates: list[Candidate] = []
        for subject, (path, trunk) in subjects:
            label = subject.recipe.precision.value
            names = _shared(subject, trunk.model)
            candidates.append(Candidate(label=label, path=path, tensors=names))
            candidates.append(self._shadow(subject, label, trunk.model, names))
        comparison = self._compared(graph, candidates, self._samples)
        found = [
            rank_units(subject.units, comparison.layers, subject.recipe.precision.value, self._halves(subject, number))
            for number, (subject, _) in enumerate(subjects)
        ]
        looked = _Looks(graph, [subject for subject, _ in subjects], found)
        looked.through(self._runner, self._baseline, self._batches, self._reporter)
        return Ranked(comparison=comparison, units=looked.units(), inputs=looked.inputs())

    def _compared(self, graph: Graph, candidates: Sequence[Candidate], samples: int) -> Comparison:
        compare = partial(compare_runs, runner=self._runner, reporter=self._reporter, histogram_samples=0)
        return compare(graph, self._baseline, candidates, self._batches, samples=samples)

    def _halves(self, subject: Subject, number: int) -> tuple[LayerDivergence, ...]:
        """Isolated errors of only the weights and only the activations, labelled so; none without Q/DQ pairs."""
        halves = [
            self._shadow(subject, half, model, _shared(subject, model), file=f"{half}_{number}")
            for half, model in subject.halves().items()
        ]
        return self._compared(subject.graph, halves, min(self._samples, _HALVES_SAMPLES)).layers if halves else ()

    def _shadow(self, subject: Subject, label: str, twin: Any, names: dict[str, str], *, file: str = "") -> Candidate:
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.shadow import make_detached_shadow, make_shadow

        shadow = make_detached_shadow(subject.original, twin, names) or make_shadow(subject.original, twin, names)
        path = self._folder / f"shadow_{file or label}.onnx"
        write_model(shadow.model, path)
        return Candidate(label=label, path=path, tensors=shadow.tensors, isolated=True, inputs=shadow.inputs)


def _shared(subject: Subject, twin: Any) -> dict[str, str]:
    known = subject.graph.producer_of
    return {name: name for node in twin.graph.node for name in node.output if name in known}


class _Looks:
    """One pass over the baseline for the values of every unit, and of what sensitive nodes read."""

    def __init__(self, graph: Graph, subjects: Sequence[Subject], ranked: Sequence[Sequence[UnitSensitivity]]) -> None:
        self._ranked = ranked
        self._stats: list[dict[str, tuple[str, ActivationStats]]] = []
        for subject, items in zip(subjects, ranked, strict=True):
            is_fp8 = subject.recipe.precision is Precision.FP8
            scales = {item.tensor: item.high / LARGEST_FP8 if is_fp8 else item.scale for item in subject.ranges}
            of_units = {}
            for item in items:
                name, axis = _tensor(subject, item.unit)
                stats = ActivationStats(name, axis=axis, scale=scales.get(name), is_fp8=is_fp8)
                of_units[item.unit.node] = name, stats
            self._stats.append(of_units)
        self._nodes = [n for n in graph.nodes if n.op_type in _SENSITIVE and n.inputs[0] in graph.producer_of]
        self._read = {node.inputs[0]: ActivationStats(node.inputs[0], axis=-1, scale=None) for node in self._nodes}
        wanted = {name for one in self._stats for name, _ in one.values()} | set(self._read)
        self._inner = sorted(wanted - {spec.name for spec in graph.inputs})

    def through(self, runner: Runner, baseline: Path, batches: SampleBatches, reporter: Reporter) -> None:
        session = runner.load(baseline, extra_outputs=self._inner, optimize=False)
        for feeds in batches():
            reporter.check()
            found = session.run(feeds, self._inner) if self._inner else []
            values = {**feeds, **dict(zip(self._inner, found, strict=True))}
            for name, stats in (*self._read.items(), *(pair for one in self._stats for pair in one.values())):
                stats.add(values[name])

    def units(self) -> tuple[tuple[UnitSensitivity, ...], ...]:
        return tuple(
            tuple(replace(i, facts=known[i.unit.node][1].result()) if i.unit.node in known else i for i in items)
            for items, known in zip(self._ranked, self._stats, strict=True)
        )

    def inputs(self) -> tuple[tuple[str, str, ActivationFacts], ...]:
        return tuple((node.name, node.op_type, self._read[node.inputs[0]].result()) for node in self._nodes)


def _tensor(subject: Subject, unit: Unit) -> tuple[str, int]:
    """The tensor that tells why a unit loses, and the axis of its channels."""
    nodes = [subject.graph.nodes[index] for index in unit.indices]
    if subject.recipe.precision.is_quantized:
        main = next((node for node in nodes if node.name == unit.node), nodes[0])
        return main.inputs[0], 1 if main.op_type in ("Conv", "ConvTranspose", "Add", "Sum") else -1
    return nodes[-1].outputs[0], 1 if nodes[-1].op_type in ("Conv", "ConvTranspose") else -1
