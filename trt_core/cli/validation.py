"""`validate`: is a candidate worse than its model, and what was run to know it?"""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.judging import (
    EXIT_OF,
    add_judged,
    add_rejudge,
    check_rejudge,
    judgement_plain,
    labelled,
    tolerance,
    verdict_sentence,
)
from trt_core.cli.wishes import ARTIFACT_ID, model_record
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.precision import Precision
from trt_core.domain.requests import ValidateSpec
from trt_core.domain.validation import Measured, ValidationRun
from trt_core.errors import InvalidInput
from trt_core.services.candidate_checks import same_inputs
from trt_core.workbench import Workbench


def validate_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `validate`."""
    command.add_argument("subject", metavar="MODEL|BUILD_ID", nargs="?")
    add_rejudge(command, "validation")
    command.add_argument("--against", metavar="VARIANT.onnx|BUILD_ID", help="the candidate")
    command.add_argument(
        "--backend",
        choices=("ort", "tensorrt"),
        help="what runs a build: the engine itself, or the numerics twin of its variant in ONNX Runtime; default: the "
        "engine where it runs on this machine",
    )
    command.add_argument("--data", type=Path, help="samples, .npz with one array per input")
    add_judged(command)


def validate(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A candidate against its model, or a stored measurement judged anew."""
    run = _measured(bench, options, console) if options.rejudge is None else _rejudged(bench, options)
    judgement = bench.validation.judgement(run)
    plain = {
        "id": run.id,
        "subject": run.subject,
        "method": run.method,
        "backend": run.backend,
        "device": run.device,
        "ran": {"baseline": run.reference, "candidate": run.subject},
        "metric": run.metric,
        "samples": run.samples,
        **judgement_plain(judgement),
        **_counts(run.measured),
        "seconds": run.seconds,
        "findings": present.findings(run.findings),
    }
    lines = [verdict_sentence(judgement), run.method, *finding_lines(run.findings)]
    return Answer(plain=plain, lines=lines, exit_code=EXIT_OF[judgement.verdict])


def _measured(bench: Workbench, options: argparse.Namespace, console: Console) -> ValidationRun:
    if options.subject is None:
        raise InvalidInput("validate was given no model.", remedy="Name one, or a validation with --rejudge ID.")
    if options.data is None:
        raise InvalidInput("validate was given no samples.", remedy="Give --data.")
    model_id, subject_id, baseline_id = _pair(bench, options.subject, options.against)
    data, labels = labelled(bench, options, options.data, model_id)
    spec = ValidateSpec(
        model_id=model_id,
        subject_id=subject_id,
        data_id=data,
        labels_id=labels,
        metric=options.metric,
        tolerance=tolerance(options, _precisions(bench, subject_id), console),
        samples=options.samples,
        by_groups=options.by_groups,
        output=options.score,
        backend=options.backend or "",
        baseline_id=baseline_id,
    )
    job = finished(bench, bench.validation.submit(spec), console)
    return bench.validation.run(str((job.result or {})["validation"]))


def _rejudged(bench: Workbench, options: argparse.Namespace) -> ValidationRun:
    run = bench.validation.run(options.rejudge)
    measured = {"MODEL": options.subject, "--against": options.against, "--data": options.data}
    check_rejudge(options, {**measured, "--backend": options.backend}, run.metric)
    return run if options.tolerance is None else bench.validation.rejudged(run, options.tolerance)


def _pair(bench: Workbench, subject: str, against: str | None) -> tuple[str, str, str]:
    """The model, what is run against it, and the build whose engine may stand for the model."""
    if against is None:
        if not _is_made(subject):
            raise InvalidInput("validate was given no candidate.", remedy="Name it with --against.")
        return _model_of(bench, subject), subject, ""
    baseline = subject if _is_made(subject) and subject[0] == ArtifactKind.BUILD.value else ""
    model_id = _model_of(bench, subject) if _is_made(subject) else model_record(bench, subject).id
    if _is_made(against):
        if _model_of(bench, against) != model_id:
            raise InvalidInput(f"{against} was not made of {model_id}.", remedy="Name a variant or build of the model.")
        return model_id, against, baseline
    record = model_record(bench, against)
    if not same_inputs(bench.library, model_id, record.id):
        raise InvalidInput(f"{against!r} has other inputs than the model.", remedy="Name a variant of the model.")
    return model_id, record.id, baseline


def _is_made(text: str) -> bool:
    kinds = (ArtifactKind.VARIANT.value, ArtifactKind.BUILD.value)
    return bool(ARTIFACT_ID.fullmatch(text)) and text[0] in kinds and not Path(text).exists()


def _model_of(bench: Workbench, made_id: str) -> str:
    if made_id[0] == ArtifactKind.BUILD.value:
        return bench.builds.build(made_id).model_id
    return bench.variants.variant(made_id).model_id


def _precisions(bench: Workbench, subject_id: str) -> tuple[Precision, ...]:
    """The precision of the candidate; none where a file from outside does not say it."""
    if subject_id[0] == ArtifactKind.BUILD.value:
        return (bench.builds.build(subject_id).recipe.precision,)
    if subject_id[0] == ArtifactKind.VARIANT.value:
        return (bench.variants.variant(subject_id).recipe.precision,)
    return ()


def _counts(measured: Measured) -> present.Plain:
    counts = measured.counts
    return {} if counts is None else {"lost": counts.lost, "gained": counts.gained}
