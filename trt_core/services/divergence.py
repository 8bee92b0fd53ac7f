"""Divergence runs: variants made, their numerics twins run, errors kept."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.domain.divergence import DivergenceRun
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import static_profile
from trt_core.domain.requests import DivergeSpec, QuantizeSpec
from trt_core.errors import GpuUnavailable, InvalidInput
from trt_core.protocols import Feeds, Reporter, SampleBatches
from trt_core.services.batching import batch_size, whole_samples
from trt_core.services.context import Context
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.library import Library
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from trt_core.analysis.divergence import Candidate, Comparison

_METHOD = (
    "Simulated in ONNX Runtime {version} on the CPU: every low-precision node's output is rounded to its format, "
    "arithmetic inside a node is FP32 (FP32 accumulation). {samples} samples; the baseline is the file as uploaded."
)


class Divergences:
    """Compare FP32 with low precision, layer by layer."""

    def __init__(self, context: Context, library: Library, variants: Variants) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._kept = KeptRuns(context, ArtifactKind.DIVERGENCE, DivergenceRun, _head)

    def submit(self, spec: DivergeSpec) -> Job:
        """Queue a comparison."""
        self.check(spec)
        against = ", ".join(item.value.upper() for item in spec.against)
        title = f"Divergence of {self._library.model(spec.model_id).name}: {against}"
        return self._context.queue.submit(
            Job(id="", kind=JobKind.DIVERGE, title=title, request={"spec": to_plain(spec)})
        )

    def check(self, spec: DivergeSpec) -> None:
        """Refuse what cannot be compared here, before a job is made; raises what is told to the user."""
        if spec.backend != "ort":
            raise GpuUnavailable(
                "Divergence inside a TensorRT engine needs an NVIDIA GPU, and this machine has none.",
                remedy="Compare the numerics twins with --backend ort.",
            )
        for precision in spec.against:
            if precision in (Precision.FP32, Precision.TF32):
                raise InvalidInput(
                    f"{precision.value} cannot be compared: its variant computes what the baseline computes here.",
                    remedy="Compare fp16, bf16, int8, fp8 or int4.",
                )
            self._variants.resolved(self._wish(spec, precision))

    def _wish(self, spec: DivergeSpec, precision: Precision) -> QuantizeSpec:
        recipe = Recipe(precision=precision, rest=spec.rest, method=spec.method, percentile=spec.percentile)
        return QuantizeSpec(model_id=spec.model_id, recipe=recipe, data_id=spec.calibration_id or spec.data_id)

    def perform(self, spec: DivergeSpec, reporter: Reporter) -> DivergenceRun:
        """Compare in the calling process, and keep the errors."""
        from trt_core.analysis.divergence import compare_runs

        self.check(spec)
        graph = self._library.graph(spec.model_id)
        folder = self._context.store.scratch_folder()
        try:
            candidates = [
                item for precision in spec.against for item in self._candidates(spec, precision, folder, reporter)
            ]
            comparison = compare_runs(
                graph,
                self._library.model_path(spec.model_id),
                candidates,
                self._batches(spec),
                runner=self._context.runner,
                reporter=reporter,
                samples=spec.samples,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._kept.keep(self._run(spec, comparison), parents=(spec.model_id,))

    def _candidates(
        self, spec: DivergeSpec, precision: Precision, folder: Path, reporter: Reporter
    ) -> Iterator[Candidate]:
        from trt_core.analysis.divergence import Candidate
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.shadow import make_detached_shadow, make_shadow
        from trt_core.precision.twin import make_twin

        reporter.check()
        variant = self._variants.perform(self._wish(spec, precision), reporter)
        label = precision.value
        reporter.progress(Progress(phase=f"Writing the {label.upper()} numerics twin"))
        twin = make_twin(load_model(self._variants.path(variant.id)), variant.recipe)
        known = self._library.graph(spec.model_id).producer_of
        names = {name: name for node in twin.graph.node for name in node.output if name in known}
        if spec.mode in ("cumulative", "both"):
            path = folder / f"{label}.onnx"
            write_model(twin, path)
            yield Candidate(label=label, path=path, tensors=names)
        if spec.mode in ("isolated", "both"):
            original = load_model(self._library.model_path(spec.model_id))
            shadow = make_detached_shadow(original, twin, names) or make_shadow(original, twin, names)
            path = folder / f"{label}_isolated.onnx"
            write_model(shadow.model, path)
            yield Candidate(label=label, path=path, tensors=shadow.tensors, isolated=True, inputs=shadow.inputs)

    def _batches(self, spec: DivergeSpec) -> SampleBatches:
        from trt_core.store.npz import batches, random_feeds

        if spec.data_id:
            model, data = self._library.model(spec.model_id), self._library.data(spec.data_id)
            limit = whole_samples(model, data, spec.samples)
            size = batch_size(model, data, most=1)
            return partial(batches, self._library.data_path(spec.data_id), batch=size, limit=limit)
        inputs = self._library.model(spec.model_id).inputs
        shapes = {item.name: tuple(size for size in item.shape or () if isinstance(size, int)) for item in inputs}
        shapes.update({item.tensor: item.opt for item in static_profile(inputs).ranges})

        def seeded() -> Iterator[Feeds]:
            for seed in range(spec.samples):
                yield random_feeds(inputs, shapes, seed=seed)

        return seeded

    def _run(self, spec: DivergeSpec, comparison: Comparison) -> DivergenceRun:
        from trt_core.analysis.origins import origins

        graph = self._library.graph(spec.model_id)
        labels = tuple(item.value for item in spec.against)
        version = self._context.runner.capabilities().version
        return DivergenceRun(
            id=f"{ArtifactKind.DIVERGENCE.value}-{uuid.uuid4().hex[:12]}",
            model_id=spec.model_id,
            created_at=self._context.clock(),
            baseline=f"{_baseline(graph)}, the file as uploaded, ONNX Runtime without graph optimization",
            candidates=labels,
            method=_METHOD.format(version=version, samples=comparison.samples),
            layers=comparison.layers,
            outputs=comparison.outputs,
            origin=tuple(
                (label, tuple(item.name for item in origins(graph, comparison.layers, label))) for label in labels
            ),
            samples=comparison.samples,
            seconds=comparison.seconds,
            findings=(
                *(self._library.data(spec.data_id).findings if spec.data_id else ()),
                *_baseline_nan(graph, comparison),
                *_findings(spec, comparison),
                *_lowered_already(graph),
                *self._variant_findings(spec),
            ),
            variants=tuple((item.value, self._variants.id_of(self._wish(spec, item))) for item in spec.against),
            data=self._library.data(spec.data_id).name if spec.data_id else "",
        )

    def _variant_findings(self, spec: DivergeSpec) -> Iterator[Finding]:
        """What makes a variant less than its name says: an error of zero may mean that nothing was lowered."""
        for precision in spec.against:
            found = self._variants.find(self._wish(spec, precision))
            for finding in found.findings if found else ():
                if finding.severity is not Severity.NOTE:
                    yield replace(finding, message=f"{precision.value.upper()} variant: {finding.message}")

    def scales(self, run: DivergenceRun) -> dict[str, dict[str, float]]:
        """For each precision of a run the scale of every quantized tensor; variants deleted since have none."""
        found = {}
        for label, variant_id in run.variants:
            if self._context.store.has(variant_id):
                found[label] = {item.tensor: item.scale for item in self._variants.variant(variant_id).ranges}
        return found

    def run(self, run_id: str) -> DivergenceRun:
        """One run with every layer."""
        return self._kept.run(run_id)

    def heads(self, model_id: str = "") -> list[DivergenceRun]:
        """Runs without their layers, newest first; with a model, only its own."""
        return self._kept.heads(model_id)


_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


def _head(run: DivergenceRun) -> DivergenceRun:
    return replace(run, layers=())


def _baseline(graph: Graph) -> str:
    """The floating dtypes of the file: `fp32`, or `fp16 and fp32` of one that was lowered before."""
    dtypes = {spec.dtype for spec in graph.tensors.values() if spec.is_floating}
    return " and ".join(sorted(_SHORT.get(name, name) for name in dtypes)) or "no floating tensor"


def _lowered_already(graph: Graph) -> Iterator[Finding]:
    low = sorted({spec.dtype for spec in graph.tensors.values() if spec.is_floating} - {"float32", "float64"})
    if low:
        yield Finding(
            rule="baseline-not-fp32",
            severity=Severity.WARNING,
            message=f"The file holds {' and '.join(low)} itself: what it lost by that is in the baseline, not shown.",
            remedy="Compare the FP32 model that it was made from.",
        )


def _baseline_nan(graph: Graph, comparison: Comparison) -> Iterator[Finding]:
    """NaN that the model itself gives: there is nothing to compare with, and no error is counted there."""
    counts = dict(comparison.baseline_nan)
    outputs = [f"{counts[spec.name]:,} elements of {spec.name!r}" for spec in graph.outputs if spec.name in counts]
    first = next((layer for layer in comparison.layers if layer.tensor in counts), None)
    if outputs:
        yield Finding(
            rule="baseline-gives-nan",
            severity=Severity.WARNING,
            message=f"The model as uploaded gives NaN itself: {', '.join(outputs)}. These elements are not compared.",
            remedy="Check the model and the data's range before its precision.",
            nodes=(first.name,) if first else (),
            evidence=f"{comparison.samples} samples in ONNX Runtime"
            + (f"; the first node that gives NaN is {first.op_type} {first.name!r}" if first else ""),
        )


def _findings(spec: DivergeSpec, comparison: Comparison) -> tuple[Finding, ...]:
    found = []
    if not spec.data_id:
        found.append(
            Finding(
                rule="random-input",
                severity=Severity.WARNING,
                message="The input is seeded noise, not data: errors on real samples differ.",
                remedy="Give an .npz of real samples.",
            )
        )
    if comparison.samples < spec.samples:
        found.append(
            Finding(
                rule="fewer-samples",
                severity=Severity.NOTE,
                message=f"{spec.samples} samples were asked for; the data hold {comparison.samples}.",
            )
        )
    if comparison.not_compared:
        found.append(
            Finding(
                rule="not-compared",
                severity=Severity.NOTE,
                message=f"{len(comparison.not_compared)} nodes have no tensor that the variants still have.",
                evidence="Folded nodes leave no tensor behind; their work is compared at the node that took it over.",
            )
        )
    return tuple(found)
