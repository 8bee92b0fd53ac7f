"""Divergence runs: variants made, their numerics twins run, errors kept."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.domain.artifacts import ArtifactKind, ModelRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.divergence import DivergenceRun
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import static_profile
from trt_core.domain.requests import DivergeSpec, QuantizeSpec
from trt_core.errors import GpuUnavailable, InvalidInput
from trt_core.protocols import Feeds, Reporter, SampleBatches
from trt_core.services.batching import batch_size, whole_samples
from trt_core.services.candidate_checks import check_candidate, looks_lowered, same_inputs
from trt_core.services.context import Context
from trt_core.services.divergence_findings import baseline_dtypes, baseline_nan, lowered_already, sample_findings
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.library import Library
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from trt_core.analysis.divergence import Candidate, Comparison
    from trt_core.services.candidate_files import CandidateFile

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
        against = ", ".join(item.value.upper() for item in spec.against) or self._library.model(spec.candidate_id).name
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
        if spec.candidate_id:
            check_candidate(self._library, spec)
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
            file = self._file(spec, folder, reporter) if spec.candidate_id else None
            candidates = [
                item for precision in spec.against for item in self._candidates(spec, precision, folder, reporter)
            ]
            candidates += file.candidates if file else ()
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
        run = self._run(spec, file.told(comparison) if file else comparison, file)
        return self._kept.keep(run, parents=(spec.model_id,))

    def _candidates(
        self, spec: DivergeSpec, precision: Precision, folder: Path, reporter: Reporter
    ) -> Iterator[Candidate]:
        from trt_core.onnx_graph.load import load_model
        from trt_core.precision.twin import make_twin
        from trt_core.services.twin_candidates import TwinCandidates

        reporter.check()
        variant = self._variants.perform(self._wish(spec, precision), reporter)
        label = precision.value
        reporter.progress(Progress(phase=f"Writing the {label.upper()} numerics twin"))
        twin = make_twin(load_model(self._variants.path(variant.id)), variant.recipe)
        path, known = self._library.model_path(spec.model_id), self._library.graph(spec.model_id).producer_of
        yield from TwinCandidates(model_path=path, known=known, folder=folder).of(twin, label, mode=spec.mode)

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

    def _file(self, spec: DivergeSpec, folder: Path, reporter: Reporter) -> CandidateFile:
        from trt_core.services.candidate_files import read_candidate

        batches = self._batches(spec)
        return read_candidate(self._library, spec, folder, batches, runner=self._context.runner, reporter=reporter)

    def files(self, model_id: str) -> list[ModelRecord]:
        """Files of the library that look like low-precision versions of this model."""
        others = [item for item in self._library.models() if item.id != model_id and looks_lowered(item)]
        return [item for item in others if same_inputs(self._library, item.id, model_id)]

    def _run(self, spec: DivergeSpec, comparison: Comparison, file: CandidateFile | None) -> DivergenceRun:
        from trt_core.analysis.origins import origins
        from trt_core.analysis.scale_rules import scale_findings

        graph = self._library.graph(spec.model_id)
        labels = (file.label,) if file else tuple(item.value for item in spec.against)
        begins = {label: origins(graph, comparison.layers, label) for label in labels}
        version = self._context.runner.capabilities().version
        return DivergenceRun(
            id=f"{ArtifactKind.DIVERGENCE.value}-{uuid.uuid4().hex[:12]}",
            model_id=spec.model_id,
            created_at=self._context.clock(),
            baseline=f"{baseline_dtypes(graph)}, the file as uploaded, ONNX Runtime without graph optimization",
            candidates=labels,
            method=_METHOD.format(version=version, samples=comparison.samples),
            layers=comparison.layers,
            outputs=comparison.outputs,
            origin=tuple((label, tuple(item.name for item in found)) for label, found in begins.items()),
            samples=comparison.samples,
            seconds=comparison.seconds,
            findings=(
                *(self._library.data(spec.data_id).findings if spec.data_id else ()),
                *baseline_nan(graph, comparison),
                *sample_findings(spec, comparison),
                *lowered_already(graph),
                *self._variant_findings(spec),
                *(scale_findings(begins[file.label], file.changes) if file else ()),
            ),
            variants=tuple((item.value, self._variants.id_of(self._wish(spec, item))) for item in spec.against),
            data=self._library.data(spec.data_id).name if spec.data_id else "",
            candidate_file=self._library.model(spec.candidate_id).name if file else "",
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


def _head(run: DivergenceRun) -> DivergenceRun:
    return replace(run, layers=())
