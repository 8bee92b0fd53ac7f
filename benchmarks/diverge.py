"""FP32 against INT8 on ResNet-50: ours, the bare ONNX Runtime passes, and Polygraphy, in alternating fresh processes.

CPU seconds are given beside wall seconds because they suffer less from other work on the machine. Run as a program, the
module is one of those processes: FOLDER JOB SAMPLES.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import Table, median, peak_mb

MODEL, TWIN, INPUT = "resnet50.onnx", "resnet50_int8_twin.onnx", "gpu_0/data_0"
SAMPLES = 16
JOBS = (
    ("ours", SAMPLES),
    ("bare", SAMPLES),
    ("bare, no spinning", SAMPLES),
    ("polygraphy", 1),
    ("ours", 4),
    ("ours", 64),
)
Row = dict[str, Any]


def run(*, repeats: int = 5) -> Table:
    """Measure in a folder of its own; one row a job, the limits from the medians."""
    with tempfile.TemporaryDirectory(prefix="enginescope-diverge-") as name:
        rows = _measured(Path(name), repeats)
    return Table(
        title="Divergence of ResNet-50, FP32 against INT8",
        method=(
            "ResNet-50 with seeded weights, INT8 calibrated on seeded noise; fresh processes in rotation, imports and "
            "loading included, medians. Bare: ONNX Runtime's plain calls on the same unoptimized graphs with the same "
            "outputs, results dropped; once with its default of threads that wait by spinning, once without. "
            "Polygraphy: every tensor marked, saved and compared, as its command line offers it."
        ),
        columns=("what", "samples", "runs", "s", "s a sample", "CPU s", "peak MB"),
        rows=tuple(_cells(row) for row in rows),
        limits=_limits(rows),
    )


def _measured(folder: Path, repeats: int) -> list[Row]:
    _prepare(folder)
    taken: dict[tuple[str, int], list[Row]] = {job: [] for job in JOBS}
    for number in range(repeats):
        for job in JOBS:
            if job[1] == SAMPLES or number < 2:
                taken[job].append(_in_fresh_process(folder, *job))
    return [
        {"what": what, "samples": samples, "runs": len(found)}
        | {key: median([one[key] for one in found]) for key in ("seconds", "cpu_seconds", "peak_mb")}
        for (what, samples), found in taken.items()
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["what"]),
        str(row["samples"]),
        str(row["runs"]),
        f"{row['seconds']:.2f}",
        f"{row['seconds'] / row['samples']:.3f}",
        f"{row['cpu_seconds']:.2f}",
        f"{row['peak_mb']:.0f}",
    )


def _limits(rows: list[Row]) -> tuple[tuple[str, str, str, bool], ...]:
    by_job = {(row["what"], row["samples"]): row for row in rows}
    ours, theirs = by_job["ours", SAMPLES], by_job["polygraphy", 1]
    spinning = ours["seconds"] / by_job["bare", SAMPLES]["seconds"]
    quiet = ours["seconds"] / by_job["bare, no spinning", SAMPLES]["seconds"]
    speedup = theirs["seconds"] / (ours["seconds"] / SAMPLES)
    growth = by_job["ours", 64]["peak_mb"] / by_job["ours", 4]["peak_mb"] - 1
    memory = ours["peak_mb"] / theirs["peak_mb"]
    return (
        ("against the bare passes", f"{spinning:.2f}×", "1.5×", spinning <= 1.5),
        ("against the bare passes without spinning", f"{quiet:.2f}×", "1.5×", quiet <= 1.5),
        ("faster a sample than Polygraphy", f"{speedup:.0f}×", "at least 10×", speedup >= 10),
        ("peak memory, 64 samples against 4", f"{growth:+.1%}", "±10 %", abs(growth) <= 0.1),
        ("peak memory against Polygraphy's", f"{memory:.0%}", "60 %", memory <= 0.6),
    )


def _prepare(folder: Path) -> None:
    import onnx

    from tests.light_models import light_model
    from trt_core.backends.onnxruntime.runner import OrtRunner
    from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
    from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
    from trt_core.precision.normalize import normalize
    from trt_core.precision.twin import make_twin
    from trt_core.precision.variant import make_variant
    from trt_core.testing import CollectingReporter

    model, recipe = light_model("resnet50"), Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    onnx.save(model, folder / MODEL)
    normalized = normalize(model).model
    onnx.save(normalized, folder / "normalized.onnx")
    calibration = calibrate(
        folder / "normalized.onnx",
        tensors_to_calibrate(normalized, recipe),
        lambda: _samples(4),
        method=recipe.method,
        percentile=recipe.percentile,
        runner=OrtRunner(),
        reporter=CollectingReporter(),
    )
    onnx.save(make_twin(make_variant(model, recipe, calibration.ranges).model, recipe), folder / TWIN)


def _samples(count: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield {INPUT: rng.standard_normal((1, 3, 224, 224), dtype=np.float32)}


def _in_fresh_process(folder: Path, what: str, samples: int) -> Row:
    program = [sys.executable, "-m", "benchmarks.diverge", str(folder), what, str(samples)]
    began = time.perf_counter()
    answer = subprocess.run(program, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return {"seconds": time.perf_counter() - began, **json.loads(answer)}


def _job(folder: Path, what: str, samples: int) -> None:
    {"ours": _ours, "bare": _bare, "bare, no spinning": _bare_quiet, "polygraphy": _polygraphy}[what](folder, samples)
    # Polygraphy runs in children of this process; the others in this process itself.
    inside = what == "polygraphy"
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if inside else resource.RUSAGE_SELF)
    peak = usage.ru_maxrss / 1024 if inside else peak_mb()
    print(json.dumps({"cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": peak}))


def _ours(folder: Path, samples: int) -> None:
    from trt_core.analysis.divergence import Candidate, compare_runs
    from trt_core.backends.onnxruntime.runner import OrtRunner
    from trt_core.onnx_graph.load import parse_model
    from trt_core.onnx_graph.read import read_graph
    from trt_core.testing import CollectingReporter

    graph, names = read_graph(parse_model(folder / MODEL)), _shared(folder)
    compare_runs(
        graph,
        folder / MODEL,
        [Candidate(label="int8", path=folder / TWIN, tensors={name: name for name in names})],
        lambda: _samples(samples),
        runner=OrtRunner(),
        reporter=CollectingReporter(),
        samples=samples,
    )


def _bare_quiet(folder: Path, samples: int) -> None:
    _bare(folder, samples, spinning=False)


def _bare(folder: Path, samples: int, *, spinning: bool = True) -> None:
    """The same two graphs with the same outputs, in ONNX Runtime's own plain calls; the results are dropped."""
    import onnx
    import onnxruntime

    names = _shared(folder)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    sessions = []
    for file in (MODEL, TWIN):
        model = onnx.load(folder / file)
        present = {value.name for value in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
        sessions.append(onnxruntime.InferenceSession(model.SerializeToString(), options))
        del model
    for feeds in _samples(samples):
        for session in sessions:
            session.run(names, feeds)


def _polygraphy(folder: Path, samples: int) -> None:
    """Both models with every tensor marked, saved, then compared from the files, as its command line offers it."""
    command = [sys.executable, "-c", "import sys; from polygraphy.tools import main; sys.exit(main())", "run"]
    saved = [folder / "polygraphy_fp32.json", folder / "polygraphy_int8.json"]
    for file, outputs in zip((MODEL, TWIN), saved, strict=True):
        marked = ["--onnxrt", "--onnx-outputs", "mark", "all", "--iterations", str(samples)]
        subprocess.run([*command, str(folder / file), *marked, "--save-outputs", str(outputs)], check=True)
    # A difference above its tolerance is its exit code 1: here that is expected.
    subprocess.run([*command, "--load-outputs", *map(str, saved)], check=False)
    for outputs in saved:
        outputs.unlink()


def _shared(folder: Path) -> list[str]:
    from trt_core.onnx_graph.load import parse_model

    first, second = (
        {name for node in parse_model(folder / file).graph.node for name in node.output} for file in (MODEL, TWIN)
    )
    return sorted(first & second)


if __name__ == "__main__":
    _job(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
