"""Sensitivity runs: several precisions of a model on the same samples, in one job."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.analysis.why_rules import first_broken, sensitive_inputs, why_findings
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import QuantizeSpec, SensitivitySpec
from trt_core.domain.sensitivity import PrecisionSensitivity, SensitivityRun
from trt_core.domain.triage import Evaluation, UnitSensitivity
from trt_core.errors import InvalidInput
from trt_core.protocols import Reporter
from trt_core.services.backend_answers import BackendAnswers
from trt_core.services.batching import sample_batches, whole_samples
from trt_core.services.builds import Builds
from trt_core.services.calibrations import Calibrations
from trt_core.services.context import Context
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.layer_errors import Ranked, Ranking
from trt_core.services.library import Library
from trt_core.services.metrics import check_metric, check_output
from trt_core.services.places import building_place
from trt_core.services.scoring import Scoring
from trt_core.services.subject import Subject, read_subject
from trt_core.services.trials import Trial
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from trt_core.precision.tails import Trunk

    Measured = tuple[Subject, tuple[Path, Trunk]]

_METHOD = (
    "Numerics twins in ONNX Runtime {version} on the CPU against the file as uploaded: errors of layers over "
    "{samples:,} samples, {metric} over {metric_samples:,}. Every low-precision value is rounded explicitly, "
    "arithmetic inside a node is FP32."
)


class Sensitivities:
    """Measure what each layer loses in several precisions, and keep it."""

    def __init__(
        self, context: Context, library: Library, variants: Variants, calibrations: Calibrations, builds: Builds
    ) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._calibrations = calibrations
        self._answers = BackendAnswers(context, library, variants, builds)
        self._kept = KeptRuns(context, ArtifactKind.SENSITIVITY, SensitivityRun, _head)

    def submit(self, spec: SensitivitySpec) -> Job:
        """Queue a run; it has the GPU alone where one of its builds times tactics there."""
        self.check(spec)
        against = ", ".join(item.value.upper() for item in spec.against)
        title = f"Sensitivity of {self._library.model(spec.model_id).name}: {against}"
        compilers = self._context.compilers.values() if spec.with_builds and spec.ask_backends else ()
        device, use = building_place(*(item for item in compilers if item.capabilities().can_build))
        job = Job(
            id="", kind=JobKind.SENSITIVITY, title=title, request={"spec": to_plain(spec)}, device=device, use=use
        )
        return self._context.queue.submit(job)

    def check(self, spec: SensitivitySpec) -> None:
        """Refuse what cannot be measured, before a job is made."""
        check_metric(spec.metric, self._context.settings)
        check_output(spec.output, spec.metric, [item.name for item in self._library.graph(spec.model_id).outputs])
        for data_id in (spec.validation_id, spec.labels_id, spec.data_id):
            if data_id:
                self._library.data(data_id)
        for precision in spec.against:
            self._variants.resolved(_wish(spec, precision))

    def perform(self, spec: SensitivitySpec, reporter: Reporter) -> SensitivityRun:
        """Measure in the calling process, and keep every layer."""
        self.check(spec)
        began = time.perf_counter()
        folder = self._context.store.scratch_folder()
        try:
            measured, refused = self._subjects(spec, folder, reporter)
            found = self._ranking(spec, folder, reporter).of(measured) if measured else None
            parts = [self._refused(spec, precision, reason) for precision, reason in refused.items()]
            if found is not None:
                parts += self._parts(spec, measured, found, folder, reporter)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        parts = [self._answered(spec, part, reporter) for part in parts]
        run = replace(self._run(spec, found, parts), seconds=time.perf_counter() - began)
        return self._kept.keep(run, parents=(spec.model_id,))

    def _subjects(
        self, spec: SensitivitySpec, folder: Path, reporter: Reporter
    ) -> tuple[list[Measured], dict[Precision, str]]:
        """Each precision's subject with its trunk, and the precisions that can lower nothing."""
        found: list[Measured] = []
        refused: dict[Precision, str] = {}
        for precision in spec.against:
            wish = self._variants.resolved(_wish(spec, precision))
            like = found[0][0] if found else None
            try:
                subject = read_subject(self._library, self._calibrations, wish, reporter, like=like)
            except InvalidInput as error:
                refused[precision] = error.message
                continue
            reporter.progress(Progress(phase=f"Writing the {precision.value.upper()} numerics twin"))
            found.append((subject, subject.trunk(folder, precision.value, self._context.runner)))
        return found, refused

    def _ranking(self, spec: SensitivitySpec, folder: Path, reporter: Reporter) -> Ranking:
        batches = sample_batches(self._library, spec.model_id, spec.validation_id, limit=spec.ranking_samples)
        baseline, runner = self._library.model_path(spec.model_id), self._context.runner
        return Ranking(baseline, batches, folder=folder, runner=runner, reporter=reporter, samples=spec.ranking_samples)

    def _parts(
        self, spec: SensitivitySpec, measured: Sequence[Measured], found: Ranked, folder: Path, reporter: Reporter
    ) -> list[PrecisionSensitivity]:
        scoring = Scoring(
            self._context,
            self._library,
            model_id=spec.model_id,
            data_id=spec.validation_id,
            labels_id=spec.labels_id,
            metric=spec.metric,
            samples=spec.samples,
            by_groups=spec.by_groups,
            output=spec.output,
        )
        parts = []
        for (subject, trunk), ranked in zip(measured, found.units, strict=True):
            most = 1 + spec.leave_one_out
            trial = Trial(subject, scoring, folder, reporter, trunk=trunk, tolerance=spec.tolerance, most=most)
            plain = trial.evaluate((), "plain")
            units = trial.leave_one_out(ranked, plain, spec.leave_one_out)
            part = _part(subject, units, plain, found)
            parts.append(replace(part, findings=(*scoring.findings(), *part.findings)))
        return parts

    def _refused(self, spec: SensitivitySpec, precision: Precision, reason: str) -> PrecisionSensitivity:
        recipe = self._variants.resolved(_wish(spec, precision)).recipe
        return PrecisionSensitivity(precision=precision, recipe=recipe, refusal=reason)

    def _answered(self, spec: SensitivitySpec, part: PrecisionSensitivity, reporter: Reporter) -> PrecisionSensitivity:
        if not spec.ask_backends or part.refusal:
            return part
        answers = self._answers.of(
            _wish(spec, part.precision),
            data_id=spec.validation_id,
            target=spec.target,
            builds=spec.with_builds,
            reporter=reporter,
        )
        return replace(part, answers=answers)

    def _run(self, spec: SensitivitySpec, found: Ranked | None, parts: list[PrecisionSensitivity]) -> SensitivityRun:
        version = self._context.runner.capabilities().version
        data = self._library.data(spec.validation_id)
        metric_samples = whole_samples(self._library.model(spec.model_id), data, spec.samples)
        samples = found.comparison.samples if found else 0
        order = {precision: place for place, precision in enumerate(spec.against)}
        return SensitivityRun(
            id=f"{ArtifactKind.SENSITIVITY.value}-{uuid.uuid4().hex[:12]}",
            model_id=spec.model_id,
            created_at=self._context.clock(),
            metric=spec.metric,
            tolerance=spec.tolerance,
            method=_METHOD.format(version=version, samples=samples, metric=spec.metric, metric_samples=metric_samples),
            layers=found.comparison.layers if found else (),
            precisions=tuple(sorted(parts, key=lambda item: order[item.precision])),
            samples=samples,
            metric_samples=metric_samples,
            seconds=0.0,
            data=data.name,
        )

    def run(self, run_id: str) -> SensitivityRun:
        """One run with every layer."""
        return self._kept.run(run_id)

    def heads(self, model_id: str) -> list[SensitivityRun]:
        """The runs of a model without their layers and units, newest first."""
        return self._kept.heads(model_id)


def _head(run: SensitivityRun) -> SensitivityRun:
    return replace(run, layers=(), precisions=tuple(replace(item, units=()) for item in run.precisions))


def _wish(spec: SensitivitySpec, precision: Precision) -> QuantizeSpec:
    recipe = Recipe(
        precision=precision, rest=spec.rest, method=spec.method, percentile=spec.percentile, attention=spec.attention
    )
    return QuantizeSpec(model_id=spec.model_id, recipe=recipe, data_id=spec.data_id if recipe.needs_data else "")


def _part(
    subject: Subject, units: tuple[UnitSensitivity, ...], plain: Evaluation, found: Ranked
) -> PrecisionSensitivity:
    precision = subject.recipe.precision
    seen = sensitive_inputs(found.inputs) if precision is Precision.FP16 else ()
    return PrecisionSensitivity(
        precision=precision,
        recipe=subject.recipe,
        units=units,
        plain=plain,
        findings=(
            *subject.findings,
            *first_broken(found.comparison.layers, precision),
            *seen,
            *why_findings(units, precision),
        ),
    )
