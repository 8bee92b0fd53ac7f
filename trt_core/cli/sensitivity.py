"""`sensitivity`: every layer's errors in several precisions beside each other, and what backends make of each."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from trt_core.analysis.divergence_pictures import brackets
from trt_core.analysis.sensitivity_map import map_rows
from trt_core.cli import present
from trt_core.cli.accuracy import add_attention, unit_plain
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.judging import add_judged, labelled, tolerance
from trt_core.cli.wishes import data_id, model_record, percentile, precisions, target
from trt_core.domain.codec import to_plain
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import SensitivitySpec
from trt_core.domain.sensitivity import PrecisionSensitivity, SensitivityRun
from trt_core.workbench import Workbench


def sensitivity_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--against", default="fp16,int8", help="precisions, separated by commas")
    command.add_argument("--rest", choices=("fp16", "fp32"), default="fp16", help="what is not quantized runs in this")
    command.add_argument("--data", type=Path, help="calibration data, .npz with one array per input")
    command.add_argument("--method", choices=("minmax", "entropy", "percentile"), default="entropy")
    command.add_argument("--percentile", type=float, default=99.99)
    add_attention(command)
    command.add_argument("--validation-data", type=Path, required=True, help="samples to measure on, .npz")
    add_judged(command)
    command.add_argument("--layer-samples", type=int, default=16, help="how many of them give the layers' errors")
    command.add_argument("--leave-one-out", type=int, default=10, metavar="N", help="measure the N first-ranked alone")
    command.add_argument("--build", action="store_true", help="build every precision with every compiler here")
    command.add_argument("--sm", help="target of the builds, such as 89")
    command.add_argument("-o", "--output", type=Path, help="write the layers here, as CSV")


def sensitivity(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Several precisions measured in one job."""
    job = finished(bench, bench.sensitivity.submit(_spec(bench, options, console)), console)
    run = bench.sensitivity.run(str((job.result or {})["sensitivity"]))
    rows = map_rows(run, brackets(bench.library.graph(run.model_id), run.layers))
    if options.output is not None:
        _write(rows, options.output)
    lines = [run.method]
    for part in run.precisions:
        lines += [_sentence(run, part), *(f"  {one.backend}: {one.outcome.value}. {one.says}" for one in part.answers)]
        lines += [f"  {line}" for line in finding_lines(part.findings)]
    return Answer(plain=_plain(run, rows), lines=lines)


def _spec(bench: Workbench, options: argparse.Namespace, console: Console) -> SensitivitySpec:
    model = model_record(bench, options.model)
    against = precisions(options.against)
    validation, labels = labelled(bench, options, options.validation_data, model.id)
    needs_data = any(Recipe(precision=item).needs_data for item in against)
    return SensitivitySpec(
        model_id=model.id,
        against=against,
        validation_id=validation,
        data_id=data_id(bench, options.data, model.id) if needs_data else "",
        labels_id=labels,
        metric=options.metric,
        tolerance=tolerance(options, against, console),
        rest=Precision(options.rest),
        method=CalibrationMethod(options.method),
        percentile=percentile(options.percentile),
        attention=options.attention,
        by_groups=options.by_groups,
        output=options.score,
        samples=options.samples,
        ranking_samples=options.layer_samples,
        leave_one_out=options.leave_one_out,
        with_builds=options.build,
        target=target(options.sm),
    )


def _write(rows: list[dict[str, object]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _sentence(run: SensitivityRun, part: PrecisionSensitivity) -> str:
    name = part.precision.value
    if part.plain is None:
        return f"{name}: {part.refusal}"
    judged, worst = part.plain.judgement, part.units[0]
    return (
        f"{name}: {run.metric} {part.plain.metric:.4f}, {judged.verdict.value}; most at {worst.unit.node} "
        f"({worst.isolated_db or 0.0:.1f} dB by itself)."
    )


def _plain(run: SensitivityRun, rows: list[dict[str, object]]) -> present.Plain:
    return {
        "id": run.id,
        "method": run.method,
        "metric": run.metric,
        "samples": run.samples,
        "metric_samples": run.metric_samples,
        "precisions": [_part(part) for part in run.precisions],
        "layers": rows,
        "seconds": run.seconds,
    }


def _part(part: PrecisionSensitivity) -> present.Plain:
    plain = part.plain
    return {
        "precision": part.precision.value,
        "refusal": part.refusal or None,
        "value": plain.metric if plain else None,
        "relative_drop": plain.judgement.relative_drop if plain else None,
        "verdict": plain.judgement.verdict.value if plain else None,
        "low_share": plain.low_share if plain else None,
        "low_share_of_all": plain.low_share_of_all if plain else None,
        "units": [unit_plain(item) for item in part.units],
        "backends": [to_plain(answer) for answer in part.answers],
        "findings": present.findings(part.findings),
    }
