"""Isolated and accumulated errors of a subject's layers, for ranking."""

from __future__ import annotations

from pathlib import Path

from trt_core.analysis.divergence import Candidate, compare_runs
from trt_core.domain.divergence import LayerDivergence
from trt_core.protocols import Reporter, Runner, SampleBatches
from trt_core.services.subject import Subject


def measure_layers(
    subject: Subject,
    baseline: Path,
    batches: SampleBatches,
    *,
    folder: Path,
    runner: Runner,
    reporter: Reporter,
    samples: int,
) -> tuple[LayerDivergence, ...]:
    """The plain twin's error at every layer, with the whole chain low and with exact inputs, in one pass each."""
    from trt_core.onnx_graph.save import write_model
    from trt_core.precision.shadow import make_shadow

    label = subject.recipe.precision.value
    twin = subject.twin(subject.recipe)
    known = subject.graph.producer_of
    names = {name: name for node in twin.graph.node for name in node.output if name in known}
    write_model(twin, folder / "plain.onnx")
    shadow = make_shadow(subject.original, twin, names)
    write_model(shadow.model, folder / "shadow.onnx")
    candidates = (
        Candidate(label=label, path=folder / "plain.onnx", tensors=names),
        Candidate(label=label, path=folder / "shadow.onnx", tensors=shadow.tensors, isolated=True),
    )
    comparison = compare_runs(
        subject.graph,
        baseline,
        candidates,
        batches,
        runner=runner,
        reporter=reporter,
        samples=samples,
        histogram_samples=0,
    )
    return comparison.layers
