"""`triage`: what must stay high so that low precision keeps the accuracy; `plan`: compare and carry plans."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.judging import EXIT_OF, check_rejudge, judgement_plain, labelled, tolerance, verdict_sentence
from trt_core.cli.outputs import copied
from trt_core.cli.wishes import data_id, model_record, percentile, read_plan
from trt_core.domain.calibration_lab import CalibrationLab
from trt_core.domain.codec import to_plain
from trt_core.domain.plans import diff_plans, diff_recipes, plan_text
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec
from trt_core.domain.triage import Evaluation, TriageRun, UnitSensitivity
from trt_core.errors import InvalidInput
from trt_core.workbench import Workbench


def add_attention(command: argparse.ArgumentParser) -> None:
    """The switch for products of two activations."""
    command.add_argument(
        "--attention", action="store_true", help="INT8 and FP8: quantize MatMuls of two activations, too"
    )


def triage(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """The search for a plan, or a stored one judged anew."""
    run = _searched(bench, options, console) if options.rejudge is None else _rejudged(bench, options)
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
        *([] if run.lab is None else [_lab_sentence(run.lab)]),
    ]
    return Answer(
        plain=_triage_plain(run), lines=lines + finding_lines(run.findings), exit_code=EXIT_OF[after.judgement.verdict]
    )


def _searched(bench: Workbench, options: argparse.Namespace, console: Console) -> TriageRun:
    if options.model is None:
        raise InvalidInput("triage was given no model.", remedy="Name one, or a search with --rejudge ID.")
    if options.validation_data is None:
        raise InvalidInput("triage was given no samples to validate on.", remedy="Give --validation-data.")
    job = finished(bench, bench.triage.submit(_triage_spec(bench, options, console)), console)
    return bench.triage.run(str((job.result or {})["triage"]))


def _rejudged(bench: Workbench, options: argparse.Namespace) -> TriageRun:
    run = bench.triage.run(options.rejudge)
    precision = run.plan.recipe.precision.value
    measured = {
        "MODEL": options.model,
        "--data": options.data,
        "--validation-data": options.validation_data,
        "--lab": options.lab,
        "--leave-one-out": options.leave_one_out,
        "--attention": options.attention,
        f"--precision {options.precision}": options.precision not in ("int8", precision),
    }
    check_rejudge(options, measured, run.metric)
    return run if options.tolerance is None else bench.triage.rejudged(run, options.tolerance)


def _lab_sentence(lab: CalibrationLab) -> str:
    method, precision = lab.best_method().value, lab.precision.value
    return (
        f"Calibration lab: {method} rounds to {precision} with the least error, which is not yet accuracy (percentile "
        f"{lab.percentile:g})."
    )


def _triage_spec(bench: Workbench, options: argparse.Namespace, console: Console) -> TriageSpec:
    precision = Precision(options.precision)
    if options.lab and not Recipe(precision=precision).needs_data:
        raise InvalidInput(
            f"--lab compares calibrations, and {precision.value} has none.",
            remedy="Ask for int8 or fp8, or leave it out.",
        )
    if options.lab and options.data is None:
        raise InvalidInput("--lab compares calibrations and was given no calibration data.", remedy="Give --data.")
    model = model_record(bench, options.model)
    validation, labels = labelled(bench, options, options.validation_data, model.id)
    return TriageSpec(
        model_id=model.id,
        recipe=Recipe(
            precision=precision,
            rest=Precision(options.rest),
            method=CalibrationMethod(options.method),
            percentile=percentile(options.percentile),
            attention=options.attention,
        ),
        data_id=data_id(bench, options.data, model.id),
        validation_id=validation,
        labels_id=labels,
        metric=options.metric,
        tolerance=tolerance(options, (precision,), console),
        samples=options.samples,
        by_groups=options.by_groups,
        output=options.score,
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


def _triage_plain(run: TriageRun) -> present.Plain:
    return {
        "id": run.id,
        "method": run.method,
        "metric": run.metric,
        "tolerance": run.tolerance,
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
