"""Every command of the flow on both samples and all nine light models: does it work, and what stays unexplained?"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import ROOT, Table
from tests.light_models import LIGHT_MODELS, light_input, light_model
from trt_core.cli.main import main

SAMPLES = ("digits_cnn", "digits_transformer")
CALIBRATION_SAMPLES = 4  # seeded noise: enough to give every tensor a range, no statement about accuracy
JUDGED_SAMPLES = 4  # for validate and triage: they are to end with an answer, which one does not matter here
_ANSWERS = (0, 1, 5)  # yes, no, too few samples to tell: a command that ends otherwise does not work


def run(names: tuple[str, ...] = (*SAMPLES, *LIGHT_MODELS)) -> Table:
    """One row a model: engine layers and unexplained nodes in three precisions, where INT8 begins to hurt, seconds."""
    rows, limits = [], []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="enginescope-coverage-") as folder:
            row, worst, allowed = _one(name, Path(folder))
        rows.append(row)
        limits.append((f"{name}: unexplained nodes", str(worst), f"{allowed}", worst <= allowed))
    return Table(
        title="Every command on every model",
        method=(
            "By command line, SM 8.6: `inspect --prove`, `build` in FP32, FP16 and INT8, `fusion`, `bench`, `diverge`, "
            "`quantize`, `validate`, `triage`, `sweep`, `deploy` to its four targets, `runs`, `export`, `registry`, "
            "`retain`, `jobs`, `system`. "
            "Layers / unexplained nodes of each build. INT8 of the light models is calibrated on seeded noise. "
            "At most 2 % of the nodes, or one, may stay unexplained."
        ),
        columns=("model", "nodes", "FP32", "FP16", "INT8", "INT8 layers in INT8", "INT8 begins to lose at", "s"),
        rows=tuple(rows),
        limits=tuple(limits),
    )


def _one(name: str, folder: Path) -> tuple[tuple[str, ...], int, int]:
    begin = time.perf_counter()
    model, data = _files(name, folder)
    inspected = _json(folder, "inspect", model, "--prove")
    builds = {
        precision: _json(folder, "build", model, "--precision", precision, *_data(precision, data))
        for precision in ("fp32", "fp16", "int8")
    }
    summaries = {precision: build["fusion"]["summary"] for precision, build in builds.items()}
    _json(folder, "bench", model, "--iterations", "10", "--warmup", "2")
    diverged = _json(folder, "diverge", model, "--data", data, "--samples", "2", "--method", "minmax")
    _the_others(folder, model, data, builds["fp16"]["build"]["id"])
    nodes = inspected["summary"]["nodes"]
    worst = max(summary["unexplained"] for summary in summaries.values())
    cells = [f"{summary['engine_layers']} / {summary['unexplained']}" for summary in summaries.values()]
    origin = diverged["origin"]["int8"]
    in_int8 = builds["int8"]["precisions"].get("int8", 0)
    row = (
        name,
        str(nodes),
        *cells,
        str(in_int8),
        f"`{origin[0]}`" if origin else "–",
        f"{time.perf_counter() - begin:.0f}",
    )
    return row, worst, max(1, int(0.02 * nodes))


def _the_others(folder: Path, model: Path, data: Path, build_id: str) -> None:
    """The commands whose answers the table does not show; each must end with one."""
    variant = folder / "variant.onnx"
    judged = ("--metric", "sqnr", "--tolerance", "10", "--samples", JUDGED_SAMPLES)
    _json(folder, "fusion", build_id)
    _json(folder, "quantize", model, "--precision", "fp16", "-o", variant)
    _json(folder, "validate", model, "--against", variant, "--data", data, *judged)
    calibration = ("--data", data, "--method", "minmax", "--validation-data", data)
    _json(folder, "triage", model, *calibration, *judged, "--max-evaluations", "3")
    _json(folder, "sweep", model, "--batches", "1", "--streams", "1", "--iterations", "4", "--warmup", "1")
    for target in ("triton", "compose", "kubernetes", "commands"):
        _json(folder, "deploy", build_id, "--to", target, "-o", folder / target)
    stored = _json(folder, "runs")
    _json(folder, "export", stored["models"][0]["id"], "-o", folder / "project.zip")
    for command in ("registry", "retain", "jobs", "system"):
        _json(folder, command)


def _files(name: str, folder: Path) -> tuple[Path, Path]:
    if name in SAMPLES:
        return ROOT / "samples" / name / "model.onnx", ROOT / "samples" / "digits" / "calibration.npz"
    model = light_model(name)
    path, data = folder / f"{name}.onnx", folder / "noise.npz"
    path.write_bytes(model.SerializeToString())
    shots = [light_input(model, seed=seed) for seed in range(CALIBRATION_SAMPLES)]
    np.savez(data, **{key: np.concatenate([shot[key] for shot in shots]) for key in shots[0]})
    return path, data


def _data(precision: str, data: Path) -> tuple[str, ...]:
    return ("--data", str(data), "--method", "minmax") if precision == "int8" else ()


def _json(folder: Path, *words: object) -> dict[str, Any]:
    out = io.StringIO()
    arguments = [str(word) for word in words] + ["--json", "--quiet", "--workspace", str(folder / "workspace")]
    with contextlib.redirect_stdout(out):
        code = main(arguments)
    if code not in _ANSWERS:
        raise RuntimeError(f"{' '.join(arguments)} ended with {code}")
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


if __name__ == "__main__":
    print(run().markdown())
