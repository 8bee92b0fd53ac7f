"""What was run for a validation, in words: an engine on a GPU, or a numerics twin that simulates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trt_core.analysis.dependence import dependence_findings
from trt_core.analysis.score_rules import score_findings
from trt_core.domain.artifacts import BuildRecord, VariantRecord
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.validation import Judgement, ValidationRun

_TWIN = (
    "ONNX Runtime {ort} on the CPU, without graph optimization: {reference} against {subject}, in which "
    "every low-precision value is rounded explicitly and arithmetic inside a node is FP32. {samples:,} samples."
)
_ENGINE = (
    "TensorRT {tensorrt} ran {subject}, up to {batch} samples at a time. The baseline is {reference}: ONNX Runtime "
    "{ort} on the CPU, without graph optimization. {samples:,} samples."
)
_ENGINES = (
    "TensorRT {tensorrt} ran {subject} and, as the baseline, {reference}, up to {batch} samples at a time. "
    "{samples:,} samples."
)
_MIXED = (
    "TensorRT {tensorrt} ran the baseline, {reference}, up to {batch} samples at a time. The candidate is {subject}, "
    "in which every low-precision value is rounded explicitly: ONNX Runtime {ort} on the CPU. {samples:,} samples."
)

# Below these a floor lets through what nobody would call alike: the default tolerance is meant for relative drops.
_LEAST_FLOORS = {"sqnr": 3.0, "cosine": 0.5}


def twin_words(variant: VariantRecord) -> str:
    """The numerics twin of a variant."""
    return f"the numerics twin of the {variant.recipe.precision.value.upper()} variant {variant.id}"


def engine_words(build: BuildRecord, device: str) -> str:
    """An engine that was run."""
    return f"the {build.recipe.precision.value.upper()} engine {build.id} on {device}"


def method(run: ValidationRun, *, ort: str, tensorrt: str, batch: int) -> str:
    """What ran the candidate and what the baseline, with both versions."""
    template = (_ENGINES if run.baseline_id else _ENGINE) if run.by_engine else (_MIXED if run.baseline_id else _TWIN)
    reference = run.reference if run.baseline_id else "the model as uploaded"
    return template.format(
        ort=ort, tensorrt=tensorrt, batch=batch, subject=run.subject, reference=reference, samples=run.samples
    )


def findings(
    run: ValidationRun,
    build: BuildRecord | None,
    reasons: Mapping[str, str],
    *,
    named_baseline: str,
    left_out: int,
) -> tuple[Finding, ...]:
    """What a reader must know of what was not run. `reasons` say, by build, why its engine cannot be run here."""
    found = []
    if build is not None and not run.by_engine:
        found.append(_not_run(build, reasons.get(build.id, "")))
    if named_baseline and not run.baseline_id:
        why = reasons.get(named_baseline, "") or "Engines were not asked for."
        found.append(
            Finding(
                rule="baseline-engine-not-run",
                severity=Severity.NOTE,
                message=f"The engine {named_baseline} was not run: the baseline is the model as uploaded. {why}",
                remedy="Validate on the machine that built it, with its GPU.",
            )
        )
    if left_out > 0:
        found.append(
            Finding(
                rule="fewer-samples",
                severity=Severity.NOTE,
                message=f"{left_out:,} samples at the end were left out: they fill no batch that the engine takes.",
                remedy="Build with a profile that begins at one sample.",
            )
        )
    return tuple(found)


def outcome_findings(run: ValidationRun, judgement: Judgement) -> tuple[Finding, ...]:
    """What a reader must know of a verdict at the run's tolerance."""
    found = [*dependence_findings(run.measured, judgement), *score_findings(run.measured, judgement)]
    if run.tolerance < _LEAST_FLOORS.get(run.metric, 0.0):
        found.append(
            Finding(
                rule="floor-says-little",
                severity=Severity.WARNING,
                message=f"The floor of {run.tolerance:g} for {run.metric} lets nearly every candidate through.",
                remedy="For sqnr give a floor in dB, such as --tolerance 20, for cosine one such as --tolerance 0.99.",
            )
        )
    return tuple(found)


def output_scored(metric: str, name: str, outputs: Sequence[str]) -> Finding:
    """Which of several outputs the metric was computed from."""
    others = ", ".join(item for item in outputs if item != name)
    return Finding(
        rule="output-scored",
        severity=Severity.NOTE,
        message=f"{metric} was computed from the output {name!r}, one of {len(outputs)} that it could be of.",
        remedy="Name another one to have it scored; on the command line with --score.",
        evidence=f"The others: {others}.",
    )


def _not_run(build: BuildRecord, reason: str) -> Finding:
    what = "The engine itself was not run: this is the numerics twin of the variant it was built of."
    calibrated = build.request.calibrated is not None
    if calibrated:
        what += " TensorRT calibrated it and chose its INT8 layers: the twin holds none of them."
    return Finding(
        rule="engine-not-run",
        severity=Severity.WARNING if calibrated else Severity.NOTE,
        message=f"{what} {reason or 'The twin was asked for.'}",
        remedy="Validate on a machine with the GPU to see what the engine adds.",
    )
