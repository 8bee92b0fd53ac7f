"""What every command that judges shares: its arguments, its samples with labels, its verdict in JSON and in words."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Console
from trt_core.cli.wishes import data_id
from trt_core.domain.codec import to_plain
from trt_core.domain.images import ImageSettings
from trt_core.domain.precision import Precision
from trt_core.domain.validation import (
    FLOOR_METRICS,
    SQNR_FLOORS_DB,
    Judgement,
    Verdict,
    bounds_words,
    default_tolerance,
    floor_words,
)
from trt_core.errors import InvalidInput
from trt_core.workbench import Workbench

EXIT_OF = {Verdict.NOT_WORSE: 0, Verdict.WORSE: 1, Verdict.TOO_FEW: 5}


def add_judged(command: argparse.ArgumentParser) -> None:
    """Labels, pictures, metric and tolerance: what every command that judges takes."""
    floors = ", ".join(f"{precision.value} {floor:g}" for precision, floor in SQNR_FLOORS_DB.items())
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
        help="relative drop, default 0.005; for cosine a floor, default 0.999; for sqnr a floor in dB, by default "
        f"that of the candidate's precision: {floors}",
    )
    command.add_argument(
        "--score",
        default="",
        metavar="OUTPUT",
        help="the output to be scored; default the first [samples, classes], for sqnr and cosine the worst of all",
    )
    command.add_argument("--samples", type=int, help="only the first ones")
    command.add_argument(
        "--by-groups", action="store_true", help="the verdict counts the groups of the label file, not its samples"
    )


def add_rejudge(command: argparse.ArgumentParser, what: str) -> None:
    """The switch that weighs a stored measurement in place of a new one."""
    command.add_argument(
        "--rejudge", metavar="ID", help=f"weigh this stored {what} with --tolerance, without running anything again"
    )


def check_rejudge(options: argparse.Namespace, measured: Mapping[str, object], metric: str) -> None:
    """InvalidInput for an option that asks for another measurement; `measured` holds those as given, by their name."""
    shared = {"--labels": options.labels, "--samples": options.samples, "--score": options.score}
    given = [name for name, value in {**measured, **shared, "--by-groups": options.by_groups}.items() if value]
    given += [f"--metric {options.metric}"] if options.metric not in ("top1", metric) else []
    if given:
        raise InvalidInput(
            f"--rejudge weighs what was measured by {metric}, and takes no {given[0]}.",
            remedy="Leave it out, or measure anew without --rejudge.",
        )


def tolerance(options: argparse.Namespace, precisions: Sequence[Precision], console: Console) -> float:
    """The tolerance as given, or the metric's own for candidates of these precisions; a floor of its own is said."""
    if options.tolerance is not None:
        return float(options.tolerance)
    usual = default_tolerance(options.metric, precisions)
    if options.metric in FLOOR_METRICS:
        words = floor_words(options.metric, precisions)
        console.say(f"Floor of {options.metric}: {usual:g}, {words}. --tolerance gives another.")
    return usual


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
    if judgement.baseline is None:
        word = "at or above" if judgement.verdict is Verdict.NOT_WORSE else "below"
        return f"{judgement.candidate:.4g} is {word} the floor of {judgement.tolerance:g}."
    if judgement.relative_drop is None:
        return f"{judgement.verdict.value.capitalize()}: {judgement.candidate:.4f}, and {judgement.method}."
    needed = f" About {judgement.samples_needed:,} samples would tell." if judgement.samples_needed else ""
    drop = f"a relative drop of {judgement.relative_drop:.2%}"
    figures = f"{judgement.candidate:.4f} against {judgement.baseline:.4f}, {drop}"
    bounds = "nothing bounds it"
    if judgement.low is not None and judgement.high is not None:
        bounds = f"one-sided 95 % bounds {bounds_words(judgement.low, judgement.high, '{:.2%}'.format)}"
    beside = judgement.by_groups
    grouped = ""
    if beside is not None:
        bounded = bounds_words(beside.low, beside.high, "{:.2%}".format)
        grouped = f" Counted by {beside.groups:,} groups: {beside.verdict.value} ({bounded})."
    said = f"{judgement.verdict.value.capitalize()}: {figures} ({bounds}), tolerance {judgement.tolerance:.2%}."
    return f"{said}{needed}{grouped}"
