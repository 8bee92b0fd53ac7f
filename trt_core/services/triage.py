"""Triage: from a variant that lost accuracy to a mixed-precision plan that has not."""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.analysis.sensitivity import at_point, rejudged, search_plan
from trt_core.analysis.triage_rules import search_findings, told_again
from trt_core.analysis.why_rules import first_broken, sensitive_inputs, why_findings
from trt_core.domain.artifacts import ArtifactKind, VariantRecord
from trt_core.domain.calibration_lab import CalibrationLab
from trt_core.domain.codec import to_plain
from trt_core.domain.findings import Finding
from trt_core.domain.jobs import Job, JobKind
from trt_core.domain.plans import AppliedPlan, Plan, apply_plan, kept_precision, make_plan
from trt_core.domain.precision import Precision
from trt_core.domain.requests import QuantizeSpec, TriageSpec, check_tolerance
from trt_core.domain.triage import Evaluation, TriageRun, UnitSensitivity
from trt_core.protocols import Reporter
from trt_core.services.batching import sample_batches
from trt_core.services.calibrations import Calibrations
from trt_core.services.context import Context
from trt_core.services.kept_runs import KeptRuns
from trt_core.services.layer_errors import Ranking
from trt_core.services.library import Library
from trt_core.services.metrics import check_metric, check_output
from trt_core.services.scoring import Scoring
from trt_core.services.subject import Subject, read_subject
from trt_core.services.trials import Trial
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from trt_core.precision.tails import Trunk

_LAB_SAMPLES = 512  # of the validation data
_METHOD = (
    "Every evaluation is one run of the plan's numerics twin in ONNX Runtime {version} on the CPU over {samples:,} "
    "samples, against the file as uploaded; what is kept is {kept}. One calibration serves all plans."
)


class Triages:
    """Search for plans, keep the searches, and make variants of their plans."""

    def __init__(self, context: Context, library: Library, variants: Variants, calibrations: Calibrations) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._calibrations = calibrations
        self._kept = KeptRuns(context, ArtifactKind.TRIAGE, TriageRun, _head)

    def submit(self, spec: TriageSpec) -> Job:
        """Queue a search."""
        self.check(spec)
        title = f"Triage of {self._library.model(spec.model_id).name}: {spec.recipe.precision.value.upper()}"
        job = Job(id="", kind=JobKind.TRIAGE, title=title, request={"spec": to_plain(spec)})
        return self._context.queue.submit(job)

    def check(self, spec: TriageSpec) -> None:
        """Refuse what cannot be searched, before a job is made."""
        check_metric(spec.metric, self._context.settings)
        check_output(spec.output, spec.metric, [item.name for item in self._library.graph(spec.model_id).outputs])
        for data_id in (spec.validation_id, spec.labels_id, spec.data_id):
            if data_id:
                self._library.data(data_id)
        self._variants.resolved(_wish(spec))

    def perform(self, spec: TriageSpec, reporter: Reporter) -> TriageRun:
        """Search in the calling process, and keep every evaluation."""
        self.check(spec)
        began = time.perf_counter()
        subject = read_subject(self._library, self._calibrations, self._variants.resolved(_wish(spec)), reporter)
        folder = self._context.store.scratch_folder()
        try:
            run = self._searched(spec, subject, folder, reporter)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._kept.keep(replace(run, seconds=time.perf_counter() - began), parents=(spec.model_id,))

    def _searched(self, spec: TriageSpec, subject: Subject, folder: Path, reporter: Reporter) -> TriageRun:
        trunk = subject.trunk(folder, "plain", self._context.runner)
        ranked, about = self._ranked(spec, subject, trunk, reporter)
        scoring = self._scoring(spec)
        trial = Trial(
            subject,
            scoring,
            folder,
            reporter,
            trunk=trunk,
            tolerance=spec.tolerance,
            most=spec.max_evaluations,
        )
        order = [item.unit for item in ranked]
        evaluations, chosen = search_plan(order, trial.evaluate, budget=spec.max_evaluations)
        lab = self._lab(spec, subject, reporter) if spec.with_lab and subject.recipe.needs_data else None
        ranked = trial.leave_one_out(ranked, evaluations[0], spec.leave_one_out)
        run = self._run(spec, subject, evaluations, chosen)
        found = (
            *run.findings,
            *scoring.findings(),
            *subject.findings,
            *about,
            *why_findings(ranked, subject.recipe.precision),
            *(lab.findings if lab else ()),
        )
        return replace(run, sensitivities=ranked, lab=lab, findings=found)

    def _ranked(
        self, spec: TriageSpec, subject: Subject, trunk: tuple[Path, Trunk], reporter: Reporter
    ) -> tuple[tuple[UnitSensitivity, ...], tuple[Finding, ...]]:
        """The units, most suspicious first, and what the ranking samples show of the model's numbers."""
        ranking = Ranking(
            self._library.model_path(spec.model_id),
            sample_batches(self._library, spec.model_id, spec.validation_id, limit=spec.ranking_samples),
            folder=trunk[0].parent,
            runner=self._context.runner,
            reporter=reporter,
            samples=spec.ranking_samples,
        )
        found = ranking.of([(subject, trunk)])
        recipe = subject.recipe
        # Softmax and normalization are never quantized: what they read meets FP16 where that is the rest.
        met = recipe.rest if recipe.precision.is_quantized else recipe.precision
        seen = sensitive_inputs(found.inputs) if met is Precision.FP16 else ()
        return found.units[0], (*first_broken(found.comparison.layers, recipe.precision), *seen)

    def _lab(self, spec: TriageSpec, subject: Subject, reporter: Reporter) -> CalibrationLab:
        from trt_core.precision.lab import calibration_lab

        return calibration_lab(
            self._library.model_path(spec.model_id),
            [item.tensor for item in subject.ranges],
            sample_batches(self._library, spec.model_id, spec.data_id, most=8),
            sample_batches(self._library, spec.model_id, spec.validation_id, limit=_LAB_SAMPLES),
            spec.recipe,  # the resolved one has no percentile of its own where it takes another method
            runner=self._context.runner,
            reporter=reporter,
        )

    def _scoring(self, spec: TriageSpec) -> Scoring:
        return Scoring(
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

    def _run(self, spec: TriageSpec, subject: Subject, evaluations: tuple[Evaluation, ...], chosen: int) -> TriageRun:
        run_id = f"{ArtifactKind.TRIAGE.value}-{uuid.uuid4().hex[:12]}"
        record = self._library.model(spec.model_id)
        after = evaluations[chosen]
        plan = make_plan(
            subject.recipe,
            [unit.node for unit in subject.units],
            after.kept,
            model_name=record.name,
            model_sha256=record.sha256,
            made_by=f"triage {run_id}: {spec.metric} {after.metric:.4f}, {after.judgement.verdict.value}",
        )
        samples = spec.samples or self._library.data(spec.validation_id).samples
        version = self._context.runner.capabilities().version
        return TriageRun(
            id=run_id,
            model_id=spec.model_id,
            created_at=self._context.clock(),
            metric=spec.metric,
            tolerance=spec.tolerance,
            method=_METHOD.format(version=version, samples=samples, kept=kept_precision(subject.recipe).value.upper()),
            sensitivities=(),
            evaluations=evaluations,
            chosen=chosen,
            plan=plan,
            samples=samples,
            seconds=0.0,
            data=self._library.data(spec.validation_id).name,
            validation_id=spec.validation_id,
            labels_id=spec.labels_id,
            calibration_id=subject.calibration_id,
            findings=(
                *self._library.data(spec.validation_id).findings,
                *search_findings(evaluations, chosen, metric=spec.metric, tolerance=spec.tolerance),
            ),
        )

    def run(self, run_id: str) -> TriageRun:
        """One search with every layer."""
        return self._kept.run(run_id)

    def heads(self, model_id: str) -> list[TriageRun]:
        """The searches of a model without their layers, newest first."""
        return self._kept.heads(model_id)

    def rejudged(self, run: TriageRun, tolerance: float) -> TriageRun:
        """The run as another tolerance would have it: the same evaluations, perhaps another choice."""
        check_tolerance(run.metric, tolerance)
        return told_again(run, rejudged(run, tolerance))

    def chosen(self, run: TriageRun, place: int) -> TriageRun:
        """The run with another of its evaluations as the plan; nothing is run, and nothing is stored."""
        return told_again(run, at_point(run, place))

    def apply(self, plan: Plan, model_id: str) -> AppliedPlan:
        """A plan on another model, by node name; unmatched names are reported, nothing is run."""
        from trt_core.onnx_graph.load import load_model
        from trt_core.precision.normalize import normalize
        from trt_core.precision.units import plan_units

        record = self._library.model(model_id)
        original = load_model(self._library.model_path(model_id))
        model = normalize(original) if plan.recipe.normalize else original
        nodes = [unit.node for unit in plan_units(model, plan.recipe, self._library.graph(model_id))]
        return apply_plan(plan, nodes, model_name=record.name, model_sha256=record.sha256)

    def plan_wish(self, plan: Plan, model_id: str, data_id: str = "") -> QuantizeSpec:
        """The wish for the variant of a plan that was applied to this model; `data_id` calibrates where it is needed.

        Raises InvalidInput where data are needed and none are given.
        """
        recipe = replace(plan.variant_recipe, data_sha256="")
        return QuantizeSpec(model_id=model_id, recipe=recipe, data_id=data_id if recipe.needs_data else "")

    def variant_wish(self, run: TriageRun, evaluation: Evaluation | None = None) -> QuantizeSpec:
        """The wish for the variant of a point on the curve; the chosen one unless another is named."""
        one = run.after if evaluation is None else evaluation
        plan = make_plan(run.plan.recipe, [entry.node for entry in run.plan.entries], one.kept)
        data_id = self._calibrations.calibration(run.calibration_id).data_id if run.calibration_id else ""
        return QuantizeSpec(model_id=run.model_id, recipe=plan.variant_recipe, data_id=data_id)

    def make_variant(self, run: TriageRun, reporter: Reporter) -> VariantRecord:
        """The variant of the chosen plan."""
        return self._variants.perform(self.variant_wish(run), reporter)


def _head(run: TriageRun) -> TriageRun:
    return replace(run, sensitivities=(), lab=None)


def _wish(spec: TriageSpec) -> QuantizeSpec:
    return QuantizeSpec(model_id=spec.model_id, recipe=spec.recipe, data_id=spec.data_id)
