"""Isolated and accumulated errors of a subject's layers, for ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trt_core.analysis.activation_stats import ActivationStats
from trt_core.analysis.divergence import Candidate, compare_runs
from trt_core.domain.divergence import LayerDivergence
from trt_core.domain.graph import Graph
from trt_core.domain.triage import ActivationFacts, Unit, UnitSensitivity
from trt_core.protocols import Reporter, Runner, SampleBatches
from trt_core.services.subject import Subject

_HALVES_SAMPLES = 4
_SENSITIVE = frozenset({"Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization"})
LOOKED_AT = 10  # first-ranked units whose activations are looked at


def measure_layers(
    subject: Subject,
    baseline: Path,
    batches: SampleBatches,
    *,
    folder: Path,
    runner: Runner,
    reporter: Reporter,
    samples: int,
) -> tuple[tuple[LayerDivergence, ...], tuple[LayerDivergence, ...]]:
    """The plain twin's error at every layer, accumulated and isolated; then the isolated error of each half.

    The halves, labelled `weights` and `activations`, are looked at on the first few samples only: they say whose an
    error is, not how large.
    """
    from trt_core.onnx_graph.save import write_model

    label = subject.recipe.precision.value
    twin = subject.twin(subject.recipe)
    names = _shared(subject, twin)
    write_model(twin, folder / "plain.onnx")
    whole = Candidate(label=label, path=folder / "plain.onnx", tensors=names)
    compare = partial(compare_runs, subject.graph, baseline, runner=runner, reporter=reporter, histogram_samples=0)
    layers = compare([whole, _shadow(subject, label, twin, folder)], batches, samples=samples).layers
    halves = [_shadow(subject, half, model, folder) for half, model in subject.halves().items()]
    if not halves:
        return layers, ()
    return layers, compare(halves, batches, samples=min(samples, _HALVES_SAMPLES)).layers


def _shared(subject: Subject, twin: Any) -> dict[str, str]:
    known = subject.graph.producer_of
    return {name: name for node in twin.graph.node for name in node.output if name in known}


def _shadow(subject: Subject, label: str, twin: Any, folder: Path) -> Candidate:
    from trt_core.onnx_graph.save import write_model
    from trt_core.precision.shadow import make_shadow

    shadow = make_shadow(subject.original, twin, _shared(subject, twin))
    path = folder / f"shadow_{label}.onnx"
    write_model(shadow.model, path)
    return Candidate(label=label, path=path, tensors=shadow.tensors, isolated=True)


def look_at_activations(
    subject: Subject,
    ranked: Sequence[UnitSensitivity],
    baseline: Path,
    batches: SampleBatches,
    *,
    runner: Runner,
    reporter: Reporter,
) -> tuple[UnitSensitivity, ...]:
    """The first-ranked units with the facts of their activations, streamed over the samples."""
    scales = {item.tensor: item.scale for item in subject.ranges}
    wanted = {item.unit.node: _tensor(subject, item.unit) for item in ranked[:LOOKED_AT]}
    inputs = {item.name for item in subject.graph.inputs}
    inner = sorted({name for name, _ in wanted.values()} - inputs)
    session = runner.load(baseline, extra_outputs=inner, optimize=False)
    stats = {node: ActivationStats(name, axis=axis, scale=scales.get(name)) for node, (name, axis) in wanted.items()}
    for feeds in batches():
        reporter.check()
        found = session.run(feeds, inner) if inner else []
        values = {**feeds, **dict(zip(inner, found, strict=True))}
        for node, (name, _) in wanted.items():
            stats[node].add(values[name])
    return tuple(
        replace(item, facts=stats[item.unit.node].result()) if item.unit.node in stats else item for item in ranked
    )


def look_at_sensitive_inputs(
    graph: Graph, baseline: Path, batches: SampleBatches, *, runner: Runner, reporter: Reporter
) -> tuple[tuple[str, str, ActivationFacts], ...]:
    """Name, op type and the facts of the input of every softmax and normalization node, streamed over the samples."""
    nodes = [node for node in graph.nodes if node.op_type in _SENSITIVE and node.inputs[0] in graph.producer_of]
    if not nodes:
        return ()
    inner = sorted({node.inputs[0] for node in nodes})
    session = runner.load(baseline, extra_outputs=inner, optimize=False)
    stats = {name: ActivationStats(name, axis=-1, scale=None) for name in inner}
    for feeds in batches():
        reporter.check()
        for name, values in zip(inner, session.run(feeds, inner), strict=True):
            stats[name].add(values)
    return tuple((node.name, node.op_type, stats[node.inputs[0]].result()) for node in nodes)


def _tensor(subject: Subject, unit: Unit) -> tuple[str, int]:
    """The tensor that tells why a unit loses, and the axis of its channels."""
    nodes = [subject.graph.nodes[index] for index in unit.indices]
    if subject.recipe.precision.is_quantized:
        main = next((node for node in nodes if node.name == unit.node), nodes[0])
        return main.inputs[0], 1 if main.op_type in ("Conv", "ConvTranspose", "Add", "Sum") else -1
    return nodes[-1].outputs[0], 1 if nodes[-1].op_type in ("Conv", "ConvTranspose") else -1
