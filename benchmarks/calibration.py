"""Does calibration need more memory for more samples? Peak resident memory of fresh processes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.tables import Table, fresh, median, spread
from tests.light_models import light_model
from trt_core.domain.artifacts import ModelRecord
from trt_core.workbench import Workbench, workspace_of

FEW, MANY = 16, 256
METHODS = ("minmax", "entropy")
REPEATS = 3

_CALIBRATE = """
import json, sys, time
from benchmarks.tables import peak_mb
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.onnx_graph.load import load_model
from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
from trt_core.services.batching import sample_batches
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

bench, (model_id, data_id, method) = workspace_of(sys.argv[1]), sys.argv[2:]
path = bench.library.model_path(model_id)
method = CalibrationMethod(method)
tensors = tensors_to_calibrate(load_model(path), Recipe(precision=Precision.INT8, method=method, data_sha256="0" * 64))
samples = bench.library.data(data_id).samples
begin = time.perf_counter()
found = calibrate(
    path, tensors, sample_batches(bench.library, model_id, data_id),
    method=method, runner=OrtRunner(), reporter=CollectingReporter(), samples=samples,
)
assert found.samples == samples
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "tensors": len(found.ranges)}))
"""


def run(*, repeats: int = REPEATS) -> Table:
    """ResNet-50 with seeded weights on seeded noise, 16 samples against 256, in alternating fresh processes."""
    with tempfile.TemporaryDirectory(prefix="enginescope-calibration-") as name:
        folder = Path(name)
        path = folder / "resnet50.onnx"
        path.write_bytes(light_model("resnet50").SerializeToString())
        bench = workspace_of(folder / "workspace")
        model = bench.library.add_file(path, trusted=True)
        data = {samples: _noise(bench, model, folder, samples) for samples in (FEW, MANY)}
        taken: dict[tuple[str, int], list[dict[str, float]]] = {}
        for _ in range(repeats):
            for method in METHODS:
                for samples, data_id in data.items():
                    printed = fresh(_CALIBRATE, str(folder / "workspace"), model.id, data_id, method)
                    taken.setdefault((method, samples), []).append(json.loads(printed))
    return _table(taken)


def _noise(bench: Workbench, model: ModelRecord, folder: Path, samples: int) -> str:
    path = folder / f"noise{samples}.npz"
    drawn = np.random.default_rng(0).standard_normal((samples, 3, 224, 224), dtype=np.float32)
    np.savez(path, **{model.inputs[0].name: drawn})
    return bench.library.add_data(path, name=path.name, model_id=model.id).id


def _table(taken: dict[tuple[str, int], list[dict[str, float]]]) -> Table:
    peaks = {job: [row["peak_mb"] for row in rows] for job, rows in taken.items()}
    limits = []
    for method in METHODS:
        growth = median(peaks[method, MANY]) / median(peaks[method, FEW]) - 1
        limits.append((f"{method}: {MANY} samples against {FEW}", f"{growth:+.1%}", "±10 %", abs(growth) <= 0.1))
    tensors = round(next(iter(taken.values()))[0]["tensors"])
    return Table(
        title="Memory of calibration",
        method=(
            f"INT8 calibration of ResNet-50 (seeded weights, {tensors} tensors) on seeded noise of 3 × 224 × 224: "
            f"{MANY * 3 * 224 * 224 * 4 / 1e6:.0f} MB are {MANY} samples. Peak resident memory of {REPEATS} fresh "
            "processes in turn, reading the model included: median (lowest–highest)."
        ),
        columns=("method", "samples", "peak MB", "seconds"),
        rows=tuple(
            (method, str(samples), spread(peaks[method, samples], digits=0), spread([row["seconds"] for row in rows]))
            for (method, samples), rows in taken.items()
        ),
        limits=tuple(limits),
    )


if __name__ == "__main__":
    print(run().markdown())
