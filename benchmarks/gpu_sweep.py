"""Batch × streams of one model in FP16 and INT8, on whatever runs it: TensorRT on a GPU, else ONNX Runtime.

    python -m benchmarks.gpu_sweep run MODEL.onnx WORKSPACE RESULTS.json    measure what RESULTS.json lacks
    python -m benchmarks.gpu_sweep report RESULTS.json [AGAIN.json] > docs/gpu/h200-trt86-sweep.md

INT8 is calibrated on seeded noise: its speed is meant, not its accuracy. Every batch is written down once its points
are done, so that a run that was cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import Table
from trt_core.analysis.sweeps import sweet_spot
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, static_profile
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.domain.sweeps import Sweep, SweepHead, SweepPoint, SweepSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, workspace_of

PRECISIONS = (Precision.FP16, Precision.INT8)
SPLIT = 8  # batches up to here have an optimization profile of their own
LIMITS_MS = (1.0, 2.0, 5.0)


def run(options: argparse.Namespace) -> None:
    done: dict[str, Any] = json.loads(options.results.read_text()) if options.results.is_file() else {}
    bench = workspace_of(options.workspace)
    model = bench.library.add_file(options.model, trusted=True)
    batches, streams = (tuple(map(int, text.split(","))) for text in (options.batches, options.streams))
    for precision in PRECISIONS:
        held = done.setdefault(precision.value, {"iterations": options.iterations, "points": []})
        missing = [size for size in batches if size not in {item["setting"]["batch"] for item in held["points"]}]
        if not missing:
            continue
        subject, backend, held["layers"] = _subject(bench, model, precision, max(batches), options.workspace)
        for batch in missing:
            spec = SweepSpec(
                subject_id=subject, batches=(batch,), streams=streams, iterations=options.iterations, backend=backend
            )
            held["points"] += [to_plain(point) for point in bench.sweeps.perform(spec, CollectingReporter()).points]
            options.results.write_text(json.dumps(done, indent=1) + "\n")
            print(precision.value, "batch", batch, flush=True)


def _subject(
    bench: Workbench, model: ModelRecord, precision: Precision, largest: int, folder: Path
) -> tuple[str, str, dict[str, int]]:
    """An engine for batches 1 to the largest where TensorRT is here, else the variant; the layers by precision."""
    data_id = ""
    if precision is Precision.INT8:
        rng = np.random.default_rng(1)
        shapes = {spec.name: tuple(d if isinstance(d, int) else 32 for d in spec.shape or ()) for spec in model.inputs}
        np.savez(folder / "noise.npz", **{k: rng.standard_normal(s, dtype=np.float32) for k, s in shapes.items()})
        data_id = bench.library.add_data(folder / "noise.npz", name="noise", model_id=model.id).id
    recipe = Recipe(precision=precision, method=CalibrationMethod.MINMAX)
    wish = QuantizeSpec(model_id=model.id, recipe=recipe, data_id=data_id)
    reporter = CollectingReporter()
    if not any(item.backend == "tensorrt" and item.can_build for item in bench.machine.capabilities()):
        return bench.variants.perform(wish, reporter).id, "ort", {}
    ends = ((1, min(SPLIT, largest)), *(((SPLIT + 1, largest),) if largest > SPLIT else ()))
    profiles = tuple(_profile(model, low, high) for low, high in ends)
    built = bench.builds.perform(BuildSpec(variant=wish, backend="tensorrt", profiles=profiles), reporter)
    return built.record.id, "tensorrt", dict(built.record.precisions)


def _profile(model: ModelRecord, low: int, high: int) -> OptimizationProfile:
    """From one batch to another, tuned for the larger."""
    small, big = (static_profile(model.inputs, batch=size) for size in (low, high))
    ranges = (
        ShapeRange(tensor=least.tensor, min=least.opt, opt=most.opt, max=most.opt)
        for least, most in zip(small.ranges, big.ranges, strict=True)
    )
    return OptimizationProfile(ranges=tuple(ranges))


def report(results: Path, again: Path | None) -> str:
    """The tables; `again` is the same sweep with engines built anew, on another machine of the kind."""
    done = json.loads(results.read_text())
    tables = [_table(precision, done[precision.value]) for precision in PRECISIONS if precision.value in done]
    text = "\n".join(table.markdown() for table in tables)
    if again is not None:
        text += f"\n{_repeated(done, json.loads(again.read_text()))}\n"
    return f"# ResNet-50: batch × streams\n\nWritten by `python -m benchmarks.gpu_sweep`.\n\n{text}"


def _repeated(done: dict[str, Any], again: dict[str, Any]) -> str:
    """How far the same points lie apart in two sweeps."""
    parts = []
    for precision in PRECISIONS:
        first, second = (
            {
                (point.setting.batch, point.setting.streams): point.summary
                for point in _sweep(held[precision.value]).points
            }
            for held in (done, again)
        )
        ratios = [second[at].p50_ms / summary.p50_ms for at, summary in first.items() if summary and second.get(at)]
        parts.append(
            f"{precision.value.upper()}: p50 {min(ratios):.3f} to {max(ratios):.3f} of the above, median "
            f"{float(np.median(ratios)):.3f}"
        )
    return f"Measured again with engines built anew on another GPU of the kind: {'; '.join(parts)}."


def _sweep(held: dict[str, Any]) -> Sweep:
    points = tuple(from_plain(SweepPoint, item) for item in held["points"])
    batches, streams = (
        tuple(sorted({getattr(point.setting, name) for point in points})) for name in ("batch", "streams")
    )
    spec = SweepSpec(subject_id="", batches=batches, streams=streams, iterations=held["iterations"])
    return Sweep(head=SweepHead(id="", model_id="", label="", created_at=0.0, spec=spec), points=points)


def _table(precision: Precision, held: dict[str, Any]) -> Table:
    sweep = _sweep(held)
    best = {limit: sweet_spot(sweep, limit_ms=limit) for limit in LIMITS_MS}
    cells = {(point.setting.batch, point.setting.streams): point for point in sweep.points}
    rows = []
    for batch in sweep.head.spec.batches:
        row = [str(batch)]
        for count in sweep.head.spec.streams:
            point = cells.get((batch, count))
            row.append(_cell(point, [limit for limit, found in best.items() if point and point == found]))
        rows.append(tuple(row))
    conditions = next((point.conditions for point in sweep.points if point.conditions), None)
    where = f"{conditions.device}, {conditions.backend} {conditions.backend_version}" if conditions else "nothing"
    layers = ", ".join(f"{count} {kind}" for kind, count in held.get("layers", {}).items())
    built = (
        f"One engine with two optimization profiles, batch 1 to {SPLIT} and from there to the largest, each tuned for "
        f"its largest batch; layers run in {layers}. "
    )
    return Table(
        title=f"{precision.value.upper()} on {where}",
        method=(
            f"{built if layers else ''}{sweep.head.spec.iterations} samples a point after a warm-up. "
            f"{_method(conditions.method) if conditions else ''} With several streams, one inference on each runs at a "
            "time; inferences/s by host time of the same loop, copies left out. INT8 ranges come from noise: speed is "
            "meant, not accuracy. Marked: the most inferences/s with p99 within "
            f"{', '.join(f'{limit:g}' for limit in LIMITS_MS)} ms."
        ),
        columns=("batch", *(f"{count} stream{'s' if count > 1 else ''}" for count in sweep.head.spec.streams)),
        rows=tuple(rows),
    )


def _method(text: str) -> str:
    """How every point was measured: without the length of one point's warm-up."""
    return re.sub(r" ?Warm-up of [^.]*\.", "", text)


def _cell(point: SweepPoint | None, limits: list[float]) -> str:
    if point is None:
        return "–"
    if point.summary is None:
        return point.error[:60]
    marks = "".join(f" **best within {limit:g} ms**" for limit in limits)
    summary = point.summary
    return f"{summary.throughput_per_s:,.0f}/s, p50 {summary.p50_ms:.3f}, p99 {summary.p99_ms:.3f} ms{marks}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_sweep")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("model", type=Path)
    runs.add_argument("workspace", type=Path)
    runs.add_argument("results", type=Path)
    runs.add_argument("--batches", default="1,2,4,8,16,32,64")
    runs.add_argument("--streams", default="1,2,3,4")
    runs.add_argument("--iterations", type=int, default=400)
    reports = commands.add_parser("report")
    reports.add_argument("results", type=Path)
    reports.add_argument("again", type=Path, nargs="?")
    options = parser.parse_args()
    if options.command == "run":
        run(options)
    else:
        print(report(options.results, options.again))


if __name__ == "__main__":
    main()
