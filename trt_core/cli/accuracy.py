"""`triage` and `validate`: does low precision keep the accuracy, and what must stay high for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.outputs import copied
from trt_core.cli.wishes import ARTIFACT_ID, data_id, model_record, percentile, read_plan
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.domain.images import ImageSettings
from trt_core.domain.plans import diff_plans, plan_text
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec, ValidateSpec
from trt_core.domain.triage import Evaluation, TriageRun, UnitSensitivity
from trt_core.domain.validation import Judgement, Measured, Verdict
from trt_core.errors import InvalidInput
from trt_core.workbench import Workbench

_EXIT = {Verdict.NOT_WORSE: 0, Verdict.WORSE: 1, Verdict.TOO_FEW: 5}


def add_attention(command: argparse.ArgumentParser) -> None:
    """The switch for products of two activations."""
    command.add_argument(
        "--attention", action="store_true", help="INT8 and FP8: quantize MatMuls of two activations, too"
    )


def add_judged(command: argparse.ArgumentParser) -> None:
    """Labels, pictures, metric and tolerance: what every command that judges takes."""
    command.add_argument(
        "--labels",
        type=Path,
        help=".npz with the array labels, and groups where samples depend on each other; for pictures a CSV",
    )
    command.add_argument("--resize", type=int, default=0, help="pictures: pixels of the shorter side before the cut")
    command.add_argument("--mean", type=float, nargs="+", default=[0.0], help="pictures: of values from 0 to 1")
    command.add_argument("--std", type=float, nargs="+", default=[1.0])
    command.add_argument("--metric", default="top1", help="top1, top5, sqnr, cosine, or a file of ENGINESCOPE_METRICS")
    command.add_argument("--tolerance", type=float, default=0.005, help="relative drop; a floor for sqnr and cosine")
    command.add_argument("--samples", type=int, help="only the first ones")
    command.add_argument(
        "--by-groups", action="store_true", help="the verdict counts the groups of the label file, not its samples"
    )


def triage(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """The search for a plan."""
    job = finished(bench, bench.triage.submit(_triage_spec(bench, options)), console)
    run = bench.triage.run(str((job.result or {})["triage"]))
    if options.plan is not None:
        options.plan.write_text(plan_text(run.plan))
    if options.output is not None:
        wish = bench.triage.variant_wish(run)
        if bench.variants.find(wish) is None:
            finished(bench, bench.variants.submit(wish), console)
        copied(bench.variants.path(bench.variants.id_of(wish)), options.output)
    after = run.after
    summary = (
        f"{run.metric}: {run.before.metric:.4f} with everything in {run.plan.recipe.precision.value}, "
        f"{after.metric:.4f} with {len(after.kept)} of {len(run.plan.entries)} nodes kept, "
        f"{after.low_share:.1%} of the MACs that can be low and {after.low_share_of_all:.1%} of all MACs low, "
        f"{len(run.evaluations)} evaluations."
    )
    lines = [
        summary,
        _sentence(after.judgement),
        *(f"  kept: {node}" for node in after.kept),
        *([] if run.lab is None else [f"Calibration lab: {run.lab.best_method().value} leaves the least error."]),
    ]
    return Answer(
        plain=_triage_plain(run), lines=lines + finding_lines(run.findings), exit_code=_EXIT[after.judgement.verdict]
    )


def _triage_spec(bench: Workbench, options: argparse.Namespace) -> TriageSpec:
    if options.lab and options.data is None:
        raise InvalidInput("--lab compares calibrations and was given no calibration data.", remedy="Give --data.")
    model = model_record(bench, options.model)
    validation, labels = labelled(bench, options, options.validation_data, model.id)
    return TriageSpec(
        model_id=model.id,
        recipe=Recipe(
            precision=Precision(options.precision),
            rest=Precision(options.rest),
            method=CalibrationMethod(options.method),
            percentile=percentile(options.percentile),
            attention=options.attention,
        ),
        data_id=data_id(bench, options.data, model.id),
        validation_id=validation,
        labels_id=labels,
        metric=options.metric,
        tolerance=options.tolerance,
        samples=options.samples,
        by_groups=options.by_groups,
        max_evaluations=options.max_evaluations,
        leave_one_out=options.leave_one_out,
        with_lab=options.lab,
    )


def validate(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A candidate against its model."""
    model_id, subject_id = _pair(bench, options.subject, options.against)
    data, labels = labelled(bench, options, options.data, model_id)
    spec = ValidateSpec(
        model_id=model_id,
        subject_id=subject_id,
        data_id=data,
        labels_id=labels,
        metric=options.metric,
        tolerance=options.tolerance,
        samples=options.samples,
        by_groups=options.by_groups,
    )
    job = finished(bench, bench.validation.submit(spec), console)
    run = bench.validation.run(str((job.result or {})["validation"]))
    judgement = bench.validation.judgement(run)
    plain = {
        "id": run.id,
        "subject": run.subject,
        "method": run.method,
        "metric": run.metric,
        "samples": run.samples,
        **_judgement(judgement),
        **_counts(run.measured),
        "seconds": run.seconds,
        "findings": present.findings(run.findings),
    }
    lines = [_sentence(judgement), run.method, *finding_lines(run.findings)]
    return Answer(plain=plain, lines=lines, exit_code=_EXIT[judgement.verdict])


def plan(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Two plans compared, or one carried to another model; yes is: nothing differs, nothing is unmatched."""
    del console
    first = read_plan(options.plan)
    if options.action == "diff":
        changes = diff_plans(first, read_plan(Path(options.other)))
        lines = [f"{one.node}: {_name(one.before)} -> {_name(one.after)}" for one in changes]
        return Answer(
            plain={"changes": to_plain(changes)},
            lines=lines or ["The plans treat every node alike."],
            exit_code=1 if changes else 0,
        )
    applied = bench.triage.apply(first, model_record(bench, options.other).id)
    if options.output is not None:
        options.output.write_text(plan_text(applied.plan))
    lines = [f"{len(applied.plan.entries)} nodes, {len(applied.plan.kept)} kept."]
    lines += [f"  not in the model: {node}" for node in applied.unmatched]
    lines += [f"  not in the plan, lowered: {node}" for node in applied.not_planned]
    plain = {
        "plan": [{"node": entry.node, "precision": entry.precision.value} for entry in applied.plan.entries],
        "unmatched": list(applied.unmatched),
        "not_planned": list(applied.not_planned),
    }
    return Answer(plain=plain, lines=lines, exit_code=1 if applied.unmatched or applied.not_planned else 0)


def _name(precision: Precision | None) -> str:
    return "not there" if precision is None else precision.value


def _pair(bench: Workbench, subject: str, against: str | None) -> tuple[str, str]:
    """The model that is the baseline, and what is run against it."""
    if against is None:
        if not _is_made(subject):
            raise InvalidInput("validate was given no candidate.", remedy="Name it with --against.")
        return _model_of(bench, subject), subject
    model_id = _model_of(bench, subject) if _is_made(subject) else model_record(bench, subject).id
    if _is_made(against):
        if _model_of(bench, against) != model_id:
            raise InvalidInput(f"{against} was not made of {model_id}.", remedy="Name a variant or build of the model.")
        return model_id, against
    record = model_record(bench, against)
    if [item.name for item in record.inputs] != [item.name for item in bench.library.model(model_id).inputs]:
        raise InvalidInput(f"{against!r} has other inputs than the model.", remedy="Name a variant of the model.")
    return model_id, record.id


def _is_made(text: str) -> bool:
    kinds = (ArtifactKind.VARIANT.value, ArtifactKind.BUILD.value)
    return bool(ARTIFACT_ID.fullmatch(text)) and text[0] in kinds and not Path(text).exists()


def _model_of(bench: Workbench, made_id: str) -> str:
    if made_id[0] == ArtifactKind.BUILD.value:
        return bench.builds.build(made_id).model_id
    return bench.variants.variant(made_id).model_id


def labelled(bench: Workbench, options: argparse.Namespace, path: Path, model_id: str) -> tuple[str, str]:
    """Samples and labels: two .npz, or a folder of pictures with a CSV."""
    if not path.is_dir():
        stored = options.labels and bench.library.add_data(options.labels, name=options.labels.name)
        return data_id(bench, path, model_id), stored.id if stored else ""
    if options.labels is None:
        raise InvalidInput(f"{str(path)!r} is a folder of pictures.", remedy="Give --labels FILE.csv: name,class.")
    settings = ImageSettings(resize=options.resize, mean=tuple(options.mean), std=tuple(options.std))
    data, labels = bench.library.add_images(path, options.labels, settings, model_id=model_id)
    return data.id, labels.id


def _triage_plain(run: TriageRun) -> present.Plain:
    return {
        "id": run.id,
        "method": run.method,
        "metric": run.metric,
        "plan": [{"node": entry.node, "precision": entry.precision.value} for entry in run.plan.entries],
        "curve": [_point(one) for one in run.evaluations],
        "baseline": run.after.judgement.baseline,
        "before": run.before.metric,
        "after": run.after.metric,
        "chosen": run.chosen,
        "within_tolerance": run.after.judgement.within_tolerance,
        "verdict": run.after.judgement.verdict.value,
        "int8_share": run.after.low_share,
        "int8_share_of_all": run.after.low_share_of_all,
        "evaluations": len(run.evaluations),
        "sensitivity": [unit_plain(item) for item in run.sensitivities],
        "samples": run.samples,
        "seconds": run.seconds,
        "lab": None if run.lab is None else {**to_plain(run.lab), "best_method": run.lab.best_method().value},
        "findings": present.findings(run.findings),
    }


def unit_plain(item: UnitSensitivity) -> present.Plain:
    """One unit with its three errors, never mixed up."""
    return {
        "node": item.unit.node,
        "op_type": item.unit.op_type,
        "macs": item.unit.macs,
        "isolated_db": item.isolated_db,
        "accumulated_db": item.accumulated_db,
        "weights_db": item.weights_db,
        "activations_db": item.activations_db,
        "gain": item.gain,
        "gain_is_measured": item.is_measured,
    }


def _point(one: Evaluation) -> present.Plain:
    return {
        "kept": len(one.kept),
        "kept_nodes": list(one.kept),
        "metric": one.metric,
        "int8_share": one.low_share,
        "int8_share_of_all": one.low_share_of_all,
        "step": one.step,
        **_judgement(one.judgement),
        "seconds": one.seconds,
    }


def _judgement(judgement: Judgement) -> present.Plain:
    bounds = None if judgement.low is None or judgement.high is None else [judgement.low, judgement.high]
    return {
        "baseline": judgement.baseline,
        "candidate": judgement.candidate,
        "relative_drop": judgement.relative_drop,
        "ci95": bounds,
        "tolerance": judgement.tolerance,
        "within_tolerance": judgement.within_tolerance,
        "verdict": judgement.verdict.value,
        "samples_needed": judgement.samples_needed,
        "by_groups": None if judgement.by_groups is None else to_plain(judgement.by_groups),
    }


def _counts(measured: Measured) -> present.Plain:
    counts = measured.counts
    return {} if counts is None else {"lost": counts.lost, "gained": counts.gained}


def _sentence(judgement: Judgement) -> str:
    if judgement.relative_drop is None or judgement.low is None or judgement.high is None:
        word = "at or above" if judgement.verdict is Verdict.NOT_WORSE else "below"
        return f"{judgement.candidate:.4g} is {word} the floor of {judgement.tolerance:g}."
    needed = f" About {judgement.samples_needed:,} samples would tell." if judgement.samples_needed else ""
    drop = f"a relative drop of {judgement.relative_drop:.2%}"
    figures = f"{judgement.candidate:.4f} against {judgement.baseline:.4f}, {drop}"
    bounds = f"one-sided 95 % bounds {judgement.low:.2%} and {judgement.high:.2%}"
    beside = judgement.by_groups
    grouped = ""
    if beside is not None:
        grouped = (
            f" Counted by {beside.groups:,} groups: {beside.verdict.value} ({beside.low:.2%} and {beside.high:.2%})."
        )
    said = f"{judgement.verdict.value.capitalize()}: {figures} ({bounds}), tolerance {judgement.tolerance:.2%}."
    return f"{said}{needed}{grouped}"
