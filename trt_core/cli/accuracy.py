"""`triage`: what must stay high so that low precision keeps the accuracy; what every command that judges shares."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.outputs import copied
from trt_core.cli.wishes import data_id, model_record, percentile, read_plan
from trt_core.domain.codec import to_plain
from trt_core.domain.images import ImageSettings
from trt_core.domain.plans import diff_plans, diff_recipes, plan_text
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec
from trt_core.domain.triage import Evaluation, TriageRun, UnitSensitivity
from trt_core.domain.validation import Judgement, Verdict, default_tolerance
from trt_core.errors import InvalidInput
from trt_core.workbench import Workbench

EXIT_OF = {Verdict.NOT_WORSE: 0, Verdict.WORSE: 1, Verdict.TOO_FEW: 5}


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
        help=".npz with the array labels, and groups where samples depend on each other; for pictures a CSV with "
        "name,class or name,class,group on each line",
    )
    command.add_argument("--resize", type=int, default=0, help="pictures: pixels of the shorter side before the cut")
    command.add_argument("--mean", type=float, nargs="+", default=[0.0], help="pictures: of values from 0 to 1")
    command.add_argument("--std", type=float, nargs="+", default=[1.0])
    command.add_argument("--metric", default="top1", help="top1, top5, sqnr, cosine, or a file of ENGINESCOPE_METRICS")
    command.add_argument(
        "--tolerance",
        type=float,
        help="relative drop, default 0.005; for sqnr and cosine a floor, default 30 (dB) and 0.999",
    )
    command.add_argument("--samples", type=int, help="only the first ones")
    command.add_argument(
        "--by-groups", action="store_true", help="the verdict counts the groups of the label file, not its samples"
    )


def tolerance(options: argparse.Namespace) -> float:
    """The tolerance as given, or the metric's own."""
    return default_tolerance(options.metric) if options.tolerance is None else float(options.tolerance)


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
        verdict_sentence(after.judgement),
        *(f"  kept: {node}" for node in after.kept),
        *([] if run.lab is None else [f"Calibration lab: {run.lab.best_method().value} leaves the least error."]),
    ]
    return Answer(
        plain=_triage_plain(run), lines=lines + finding_lines(run.findings), exit_code=EXIT_OF[after.judgement.verdict]
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
        tolerance=tolerance(options),
        samples=options.samples,
        by_groups=options.by_groups,
        max_evaluations=options.max_evaluations,
        leave_one_out=options.leave_one_out,
        with_lab=options.lab,
    )


def plan(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Two plans compared, or one carried to another model; yes is: nothing differs, nothing is unmatched."""
    del console
    first = read_plan(options.plan)
    if options.action == "diff":
        second = read_plan(Path(options.other))
        changes, recipe = diff_plans(first, second), diff_recipes(first, second)
        lines = [f"recipe, {one.field}: {one.before} -> {one.after}" for one in recipe]
        lines += [f"{one.node}: {_name(one.before)} -> {_name(one.after)}" for one in changes]
        return Answer(
            plain={"changes": to_plain(changes), "recipe": to_plain(recipe)},
            lines=lines or ["The plans treat every node alike."],
            exit_code=1 if lines else 0,
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
        **judgement_plain(one.judgement),
        "seconds": one.seconds,
    }


def judgement_plain(judgement: Judgement) -> present.Plain:
    """A verdict with its numbers."""
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


def verdict_sentence(judgement: Judgement) -> str:
    """A verdict in one line."""
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
