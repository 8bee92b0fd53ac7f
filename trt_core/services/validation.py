"""Validation runs: is the candidate worse than the model it was made of?"""

from __future__ import annotations

import io
import shutil
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trt_core.analysis.judge import judge
from trt_core.backends.tensorrt.native import BACKEND
from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.findings import Finding
from trt_core.domain.jobs import Job, JobKind, Progress, Use
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import ValidateSpec, check_tolerance
from trt_core.domain.validation import Judgement, Measured, ValidationRun
from trt_core.protocols import Array, Reporter, Session
from trt_core.services.batching import whole_samples
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.engine_choice import ChosenEngines, EngineChoice
from trt_core.services.engine_runs import EngineRuns
from trt_core.services.library import Library
from trt_core.services.metrics import check_metric, check_output
from trt_core.services.places import CPU, GPU
from trt_core.services.scoring import Scores, Scoring
from trt_core.services.validation_words import engine_words, findings, method, outcome_findings, twin_words
from trt_core.services.variants import Variants

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """The file of the candidate's twin, its recipe, its name in words, its variant and its build."""

    path: Path
    recipe: Recipe
    words: str
    variant_id: str = ""
    build_id: str = ""


class Validations:
    """Validate variants, engines, and the variants that engines which run elsewhere were made of."""

    def __init__(self, context: Context, library: Library, variants: Variants, builds: Builds) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._builds = builds
        self._runs = EngineRuns(context, builds)
        self._chosen = EngineChoice(library, builds, self._runs)

    # Asking ------------------------------------------------------------------------------------------------------

    def why_not(self, subject_id: str) -> str:
        """Why no engine of a candidate can be run here, with what helps; empty where its engine can."""
        return self._chosen.why_not(subject_id)

    def submit(self, spec: ValidateSpec) -> Job:
        """Queue a validation; one of engines has its place at the GPU."""
        spec = self._checked(spec)
        job = Job(
            id="",
            kind=JobKind.VALIDATE,
            title=f"Validation of {self._library.model(spec.model_id).name}",
            request={"spec": to_plain(spec)},
            device=GPU if spec.backend == BACKEND else CPU,
            use=Use.SHARED,  # nothing is timed, so that two may run beside each other, and none beside a measurement
        )
        return self._context.queue.submit(job)

    def _checked(self, spec: ValidateSpec) -> ValidateSpec:
        check_metric(spec.metric, self._context.settings)
        check_output(spec.output, spec.metric, [item.name for item in self._library.graph(spec.model_id).outputs])
        self._library.data(spec.data_id)
        if spec.labels_id:
            self._library.data(spec.labels_id)
        self._subject(spec)
        spec = self._chosen.resolved(spec)
        self._chosen.engines(spec)
        return spec

    def _subject(self, spec: ValidateSpec) -> _Candidate:
        kind = spec.subject_id[:1]
        if kind == ArtifactKind.BUILD.value:
            build = self._builds.build(spec.subject_id)
            parents = self._context.store.artifact(build.id).parents
            variant_id = next((item for item in parents if item[0] == ArtifactKind.VARIANT.value), "")
            if not variant_id:
                path = self._library.model_path(build.model_id)
                return _Candidate(path=path, recipe=build.recipe, words="the file as uploaded", build_id=build.id)
            return self._of_variant(variant_id, build.id)
        if kind == ArtifactKind.VARIANT.value:
            return self._of_variant(spec.subject_id, "")
        record = self._library.model(spec.subject_id)
        # A file from outside says by its dtypes what is rounded; no recipe is needed for its twin.
        recipe = Recipe(precision=Precision.FP16)
        path = self._library.model_path(record.id)
        return _Candidate(path=path, recipe=recipe, words=f"the numerics twin of {record.name}")

    def _of_variant(self, variant_id: str, build_id: str) -> _Candidate:
        record = self._variants.variant(variant_id)
        return _Candidate(
            path=self._variants.path(record.id),
            recipe=record.recipe,
            words=twin_words(record),
            variant_id=record.id,
            build_id=build_id,
        )

    # Doing -------------------------------------------------------------------------------------------------------

    def perform(self, spec: ValidateSpec, reporter: Reporter) -> ValidationRun:
        """Validate in the calling process, and keep what each sample scored."""
        began = time.perf_counter()
        spec = self._checked(spec)
        candidate, engines = self._subject(spec), self._chosen.engines(spec)
        with ExitStack() as stack:
            baseline = self._loaded(engines.baseline, spec, stack, reporter)
            engine = self._loaded(engines.candidate, spec, stack, reporter)
            scoring = self._scoring(spec, engines, baseline)
            if engine is None:
                measured = self._by_twin(candidate, scoring, reporter)
            else:
                measured = scoring.measure_session(engine, reporter, phase="Scoring the engine")
            run = self._told(self._run(spec, candidate, scoring, measured), engines, engine or baseline)
        told = (*self._findings(spec, run), *run.findings, *outcome_findings(run, self.judgement(run)))
        run = replace(run, findings=told, seconds=time.perf_counter() - began)
        parents = [item for item in (spec.model_id, run.variant_id, run.build_id, run.baseline_id) if item]
        files: Mapping[str, Path | bytes | memoryview] = _scores_file(scoring.baseline, scoring.candidate)
        self._context.store.put(ArtifactKind.VALIDATION, run.id, run, files, parents=tuple(dict.fromkeys(parents)))
        return run

    def _scoring(self, spec: ValidateSpec, engines: ChosenEngines, baseline: Session | None) -> Scoring:
        return Scoring(
            self._context,
            self._library,
            model_id=spec.model_id,
            data_id=spec.data_id,
            labels_id=spec.labels_id,
            metric=spec.metric,
            samples=spec.samples,
            by_groups=spec.by_groups,
            output=spec.output,
            sampled=engines.sampled,
            baseline=baseline,
        )

    def _loaded(self, build_id: str, spec: ValidateSpec, stack: ExitStack, reporter: Reporter) -> Session | None:
        """The engine of a build, until the stack is closed; None without one."""
        if not build_id:
            return None
        reporter.check()
        reporter.progress(Progress(phase="Loading the engine"))
        outputs = [item.name for item in self._library.graph(spec.model_id).outputs]
        return stack.enter_context(self._runs.session(build_id, outputs))

    def _by_twin(self, candidate: _Candidate, scoring: Scoring, reporter: Reporter) -> Measured:
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.twin import make_twin

        folder = self._context.store.scratch_folder()
        try:
            reporter.progress(Progress(phase="Writing the numerics twin"))
            write_model(make_twin(load_model(candidate.path), candidate.recipe), folder / "twin.onnx")
            return scoring.measure(folder / "twin.onnx", reporter, phase="Scoring the candidate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, spec: ValidateSpec, candidate: _Candidate, scoring: Scoring, measured: Measured) -> ValidationRun:
        return ValidationRun(
            id=f"{ArtifactKind.VALIDATION.value}-{uuid.uuid4().hex[:12]}",
            model_id=spec.model_id,
            created_at=self._context.clock(),
            subject=candidate.words,
            method="",
            metric=spec.metric,
            samples=scoring.samples,
            measured=measured,
            tolerance=spec.tolerance,
            data=self._library.data(spec.data_id).name,
            variant_id=candidate.variant_id,
            build_id=candidate.build_id,
            findings=(
                *self._library.data(spec.data_id).findings,
                *scoring.findings(),
            ),
        )

    def _told(self, run: ValidationRun, engines: ChosenEngines, session: Session | None) -> ValidationRun:
        """The same run, and what was run for it."""
        device = session.device if session is not None else ""
        if engines.candidate:
            words = engine_words(self._builds.build(engines.candidate), device)
            run = replace(run, backend=BACKEND, device=device, subject=words)
        if engines.baseline:
            words = engine_words(self._builds.build(engines.baseline), device)
            run = replace(run, baseline_id=engines.baseline, reference=words)
        said = method(
            run,
            ort=self._context.runner.capabilities().version,
            tensorrt=session.version if session is not None else "",
            batch=engines.sampled.batch if engines.sampled else 0,
        )
        return replace(run, method=said)

    def _findings(self, spec: ValidateSpec, run: ValidationRun) -> tuple[Finding, ...]:
        build = self._builds.build(run.build_id) if run.build_id else None
        model, data = self._library.model(spec.model_id), self._library.data(spec.data_id)
        reasons = {
            name: refusal.message if (refusal := self._runs.refusal(name)) else ""
            for name in filter(None, (run.build_id, spec.baseline_id))
        }
        unused = whole_samples(model, data, spec.samples) - run.samples
        return findings(run, build, reasons, named_baseline=spec.baseline_id, left_out=unused)

    # Looking -----------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> ValidationRun:
        """One validation."""
        return from_plain(ValidationRun, self._context.store.record(checked_id(run_id, ArtifactKind.VALIDATION)))

    def runs(self, model_id: str) -> list[ValidationRun]:
        """The validations of a model, newest first."""
        return [self.run(item) for item in self._context.store.ids(ArtifactKind.VALIDATION, parent=model_id)]

    def judgement(self, run: ValidationRun) -> Judgement:
        """The verdict of a run at its tolerance."""
        return judge(run.measured, run.tolerance)

    def rejudged(self, run: ValidationRun, tolerance: float) -> ValidationRun:
        """The run as another tolerance would have it, with what is to be said of that verdict; nothing is run again."""
        check_tolerance(run.metric, tolerance)
        stale = outcome_findings(run, self.judgement(run))
        anew = replace(run, tolerance=tolerance)
        kept = (item for item in run.findings if item not in stale)
        return replace(anew, findings=(*kept, *outcome_findings(anew, self.judgement(anew))))

    def flipped(self, run: ValidationRun) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Positions of the samples that the candidate lost and gained; empty for metrics without right and wrong."""
        if run.measured.counts is None:
            return (), ()
        with np.load(self._context.store.path(run.id, "scores.npz"), allow_pickle=False) as stored:
            right = {name: np.unpackbits(stored[name], count=run.samples).astype(bool) for name in stored.files}
        lost, gained = right["baseline"] & ~right["candidate"], ~right["baseline"] & right["candidate"]
        return tuple(np.flatnonzero(lost).tolist()), tuple(np.flatnonzero(gained).tolist())


def _scores_file(baseline: Scores | None, candidate: Scores | None) -> dict[str, Path | bytes | memoryview]:
    """One bit a sample where every score is 0 or 1, single precision otherwise."""
    if baseline is None or candidate is None:
        return {}
    arrays: dict[str, Array] = {"baseline": baseline, "candidate": candidate}
    if all(np.isin(array, (0.0, 1.0)).all() for array in arrays.values()):
        arrays = {name: np.packbits(array.astype(np.bool_)) for name, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {"scores.npz": buffer.getvalue()}
