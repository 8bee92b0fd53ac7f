"""FP16 and INT8 of ResNet-50 beside each other: every layer's errors, and what one layer alone brings back.

Each job is a fresh process with imports, loading, calibration and storing included; CPU seconds stand
beside wall seconds because they suffer less from other work on the machine. Run as a program, the module is one of
those processes: FOLDER SAMPLES LAYERS_ALONE.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.tables import Table, peak_mb
from trt_core.domain.sensitivity import SensitivityRun

MODEL, INPUT = "resnet50.onnx", "gpu_0/data_0"
SAMPLES, FIRST, ALL = 16, 10, 1000
JOBS = ((SAMPLES, FIRST), (SAMPLES, 0), (4, FIRST), (64, FIRST), (SAMPLES, ALL))
_SECONDS, _ALL_SECONDS = 60.0, 360.0
Row = dict[str, Any]


def run(*, repeats: int = 1) -> Table:
    """Measure in a folder of its own; one row a job, the limits from the best of `repeats`."""
    with tempfile.TemporaryDirectory(prefix="enginescope-triage-") as name:
        folder = Path(name)
        _prepare(folder)
        rows = {job: min((_in_fresh_process(folder, *job) for _ in range(repeats)), key=_wall) for job in JOBS}
    return Table(
        title="Sensitivity of ResNet-50, FP16 and INT8 together",
        method=(
            "ResNet-50 with seeded weights and noise for input; INT8 calibrated by MinMax on 16 samples, the rest in "
            "FP16, the metric SQNR of the output. One job measures the accumulated and the isolated error of every "
            "layer in both precisions, the shares of weights and activations, and leave-one-out of as many "
            "first-ranked layers of each precision as the column says; for all others it is estimated, and marked so."
        ),
        columns=("samples", "alone, of each", "measured alone", "estimated", "layers", "s", "CPU s", "peak MB"),
        rows=tuple(_cells(job, row) for job, row in rows.items()),
        limits=_limits(rows),
    )


def _wall(row: Row) -> float:
    return float(row["seconds"])


def _cells(job: tuple[int, int], row: Row) -> tuple[str, ...]:
    samples, alone = job
    return (
        str(samples),
        "all" if alone == ALL else str(alone),
        str(row["measured"]),
        str(row["estimated"]),
        str(row["layers"]),
        f"{row['seconds']:.1f}",
        f"{row['cpu_seconds']:.1f}",
        f"{row['peak_mb']:.0f}",
    )


def _limits(rows: dict[tuple[int, int], Row]) -> tuple[tuple[str, str, str, bool], ...]:
    first, every = rows[SAMPLES, FIRST], rows[SAMPLES, ALL]
    growth = rows[64, FIRST]["peak_mb"] / rows[4, FIRST]["peak_mb"] - 1
    return (
        ("both errors of every layer, ten of each alone", f"{_wall(first):.1f} s", "60 s", _wall(first) < _SECONDS),
        ("every layer alone, as a job", f"{_wall(every):.0f} s", "360 s", _wall(every) < _ALL_SECONDS),
        ("layers without both errors", str(first["incomplete"]), "0", first["incomplete"] == 0),
        ("layers estimated when all are measured", str(every["estimated"]), "0", every["estimated"] == 0),
        ("peak memory, 64 samples against 4", f"{growth:+.1%}", "±10 %", abs(growth) <= 0.1),
    )


def _prepare(folder: Path) -> None:
    import numpy as np
    import onnx

    from tests.light_models import light_model

    onnx.save(light_model("resnet50"), folder / MODEL)
    noise = np.random.default_rng(0).standard_normal((64, 3, 224, 224), dtype=np.float32)
    np.savez(folder / "calibration.npz", **{INPUT: noise[:16]})
    np.savez(folder / "samples.npz", **{INPUT: noise})


def _in_fresh_process(folder: Path, samples: int, alone: int) -> Row:
    program = [sys.executable, "-m", "benchmarks.triage", str(folder), str(samples), str(alone)]
    began = time.perf_counter()
    answer = subprocess.run(program, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return {"seconds": time.perf_counter() - began, **json.loads(answer)}


def _job(folder: Path, samples: int, alone: int) -> None:
    from trt_core.domain.precision import CalibrationMethod, Precision
    from trt_core.domain.requests import SensitivitySpec
    from trt_core.settings import Settings
    from trt_core.testing import CollectingReporter
    from trt_core.workbench import open_workbench

    with tempfile.TemporaryDirectory(prefix="workspace-", dir=folder) as workspace:
        bench = open_workbench(Settings(workspace=Path(workspace)))
        model = bench.library.add_file(folder / MODEL, trusted=True)
        names = ("calibration.npz", "samples.npz")
        calibration, data = (bench.library.add_data(folder / n, name=n, model_id=model.id).id for n in names)
        spec = SensitivitySpec(
            model_id=model.id,
            against=(Precision.FP16, Precision.INT8),
            validation_id=data,
            data_id=calibration,
            metric="sqnr",
            tolerance=20.0,
            method=CalibrationMethod.MINMAX,
            samples=samples,
            ranking_samples=samples,
            leave_one_out=alone,
            ask_backends=False,
        )
        found = bench.sensitivity.perform(spec, CollectingReporter())
    print(json.dumps(_answer(found)))


def _answer(found: SensitivityRun) -> Row:
    units = [unit for part in found.precisions for unit in part.units]
    labels = [part.precision.value for part in found.precisions]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "layers": len(found.layers),
        "incomplete": sum(
            layer.error(label, isolated=isolated) is None
            for layer in found.layers
            for label in labels
            for isolated in (False, True)
        ),
        "measured": sum(unit.is_measured for unit in units),
        "estimated": sum(unit.gain is not None and not unit.is_measured for unit in units),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    _job(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
