"""Batch × streams of one model in FP16 and INT8, on whatever runs it: TensorRT on a GPU, else ONNX Runtime.

`python -m benchmarks.gpu_sweep MODEL.onnx --workspace DIR` prints one table a precision and marks the sweet spot.
INT8 is calibrated on seeded noise: its speed is meant, not its accuracy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.tables import Table
from trt_core.analysis.sweeps import sweet_spot
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, static_profile
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.domain.sweeps import SweepSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, workspace_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_sweep")
    parser.add_argument("model", type=Path)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--batches", default="1,2,4,8,16,32,64")
    parser.add_argument("--streams", default="1,2,3,4")
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--limit-ms", type=float, default=5.0)
    options = parser.parse_args()
    bench = workspace_of(options.workspace)
    model = bench.library.add_file(options.model, trusted=True)
    batches, streams = (tuple(map(int, text.split(","))) for text in (options.batches, options.streams))
    for precision in (Precision.FP16, Precision.INT8):
        subject, backend = _subject(bench, model, precision, max(batches), options.workspace)
        spec = SweepSpec(
            subject_id=subject, batches=batches, streams=streams, iterations=options.iterations, backend=backend
        )
        print(_table(bench, spec, precision, options.limit_ms).markdown(), flush=True)


def _subject(bench: Workbench, model: ModelRecord, precision: Precision, largest: int, folder: Path) -> tuple[str, str]:
    """An engine for batches 1 to the largest where TensorRT is here, else the variant."""
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
        return bench.variants.perform(wish, reporter).id, "ort"
    small, big = (static_profile(model.inputs, batch=size) for size in (1, largest))
    ranges = (
        ShapeRange(tensor=low.tensor, min=low.opt, opt=high.opt, max=high.opt)
        for low, high in zip(small.ranges, big.ranges, strict=True)
    )
    profile = OptimizationProfile(ranges=tuple(ranges))
    built = bench.builds.perform(BuildSpec(variant=wish, backend="tensorrt", profiles=(profile,)), reporter)
    return built.record.id, "tensorrt"


def _table(bench: Workbench, spec: SweepSpec, precision: Precision, limit_ms: float) -> Table:
    sweep = bench.sweeps.perform(spec, CollectingReporter())
    best = sweet_spot(sweep, limit_ms=limit_ms)
    cells = {(point.setting.batch, point.setting.streams): point for point in sweep.points}
    rows = []
    for batch in spec.batches:
        row = [str(batch)]
        for count in spec.streams:
            point = cells[batch, count]
            if point.summary is None:
                row.append(point.error[:40])
                continue
            mark = " **sweet spot**" if point == best else ""
            row.append(f"{point.summary.throughput_per_s:,.0f}/s, p99 {point.summary.p99_ms:.3f} ms{mark}")
        rows.append(tuple(row))
    method = next((point.conditions.method for point in sweep.points if point.conditions), "Nothing was measured.")
    return Table(
        title=f"{sweep.head.label}, {precision.value.upper()}, batch × streams",
        method=f"{method} {spec.iterations} samples a point. Sweet spot: most inferences/s with p99 ≤ {limit_ms:g} ms.",
        columns=("batch", *(f"{count} streams" for count in spec.streams)),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    main()
