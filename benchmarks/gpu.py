"""TensorRT on the GPU of this machine: build time, latency, memory, precisions and error of models of real size.

    python -m benchmarks.gpu run FOLDER RESULTS.json [MODEL/PRECISION ...]    measure what RESULTS.json lacks
    python -m benchmarks.gpu case MODEL/PRECISION FOLDER RESULT.json          measure one, in this process

FOLDER holds what `benchmarks.gpu_models` wrote. Every case has a process of its own, which is ended after CASE_LIMIT_S,
and is written down as soon as it is done, failures too, so that a run that was cut short goes on where it stopped. The
build's log and the engine's layers are kept beside the case's model. `benchmarks.gpu_report` writes the page about it.
"""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import ROOT
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange
from trt_core.errors import TrtCoreError
from trt_core.protocols import CalibrationInput, CompileInput, CompileOutput
from trt_core.testing import CollectingReporter

BATCH = 8
CASE_LIMIT_S = 180
SHAPES = {"resnet50": (BATCH, 3, 224, 224), "vit": (BATCH, 3, 224, 224), "bert": (BATCH, 128)}
CASES = tuple(
    f"{model}/{precision}"
    for model in ("resnet50", "bert", "vit")
    for precision in ("fp32", "tf32", "fp16", "int8-qdq", "int8-implicit")
)
_RECIPES = {"fp16": Precision.FP16, "int8-qdq": Precision.INT8}


def feeds(model: str, seed: int) -> dict[str, np.ndarray]:
    generator, shape = np.random.default_rng(seed), SHAPES[model]
    if model == "bert":
        return {"x": generator.integers(0, 30522, shape)}
    return {"x": generator.standard_normal(shape, dtype=np.float32)}


def batches(model: str, batch: int = BATCH) -> Iterator[dict[str, np.ndarray]]:
    del batch  # the calibration profile has the benchmark's batch
    return (feeds(model, seed) for seed in (1, 2))


def variant(model: str, precision: str, folder: Path) -> Path:
    """The file that is built: made once, beside the model."""
    from trt_core.backends.onnxruntime.runner import OrtRunner
    from trt_core.onnx_graph.load import load_model
    from trt_core.onnx_graph.save import write_model
    from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
    from trt_core.precision.normalize import normalize
    from trt_core.precision.variant import make_variant

    target = folder / f"{model}-{precision}" / "model.onnx"
    if target.is_file():
        return target
    source = folder / f"{model}.onnx"
    original = load_model(source)
    recipe = Recipe(precision=_RECIPES.get(precision, Precision.FP32), rest=Precision.FP32)
    normalized, ranges = normalize(original), ()
    if recipe.needs_data:
        tensors = tensors_to_calibrate(normalized.model, recipe)
        ranges = calibrate(
            source, tensors, partial(batches, model), method=CalibrationMethod.MINMAX, percentile=99.99,
            runner=OrtRunner(), reporter=CollectingReporter(),
        ).ranges  # fmt: skip
    target.parent.mkdir(exist_ok=True)
    write_model(make_variant(original, recipe, ranges, normalized=normalized).model, target)
    return target


def built(model: str, precision: str, path: Path, caches: Path, timings: str) -> CompileOutput:
    from trt_core.backends.tensorrt.compiler import TrtCompiler

    low = (1, *SHAPES[model][1:])
    ranged = ShapeRange(tensor="x", min=low, opt=SHAPES[model], max=SHAPES[model])
    implicit = precision == "int8-implicit"
    request = CompileInput(
        onnx_path=path,
        target=None,
        profiles=(OptimizationProfile(ranges=(ranged,)),),
        rest=Precision.FP16 if precision.startswith("int8") else Precision.FP32,
        options=BuilderOptions(
            tf32=precision == "tf32", timing_cache=timings, calibration="implicit" if implicit else ""
        ),
        calibration=CalibrationInput(
            batches=partial(batches, model), data_sha256="seeded", method=CalibrationMethod.ENTROPY
        )
        if implicit
        else None,
    )
    return TrtCompiler(caches).build(request, reporter=CollectingReporter())


def case(name: str, folder: Path) -> dict[str, Any]:
    from trt_core.backends.onnxruntime.runner import OrtRunner
    from trt_core.backends.tensorrt.build_log import read_log
    from trt_core.backends.tensorrt.cuda import free_and_total_bytes
    from trt_core.backends.tensorrt.inspection import engine_json
    from trt_core.backends.tensorrt.runner import TrtRunner

    model, precision = name.split("/")
    began = time.perf_counter()
    path = variant(model, precision, folder)
    prepared_s = time.perf_counter() - began
    cold = built(model, precision, path, folder / f"empty-{model}-{precision}", "")
    grown = read_log(cold.log).cache
    warm = built(model, precision, path, folder / f"empty-{model}-{precision}", "")
    kept = read_log(warm.log).cache
    engine = path.parent / "model.engine"
    engine.write_bytes(warm.engine)
    before, _ = free_and_total_bytes()
    session = TrtRunner().session(engine)
    (path.parent / "build.log.gz").write_bytes(gzip.compress(cold.log.encode()))
    (path.parent / "layers.json.gz").write_bytes(gzip.compress(engine_json(session.engine).encode()))
    (got,) = session.run(feeds(model, 0))
    used = before - free_and_total_bytes()[0]
    session.close()
    (wanted,) = OrtRunner().load(folder / f"{model}.onnx").run(feeds(model, 0))
    timed = _timed(engine, feeds(model, 0))
    return {
        "prepare_s": prepared_s,
        "build_cold_s": cold.build_seconds,
        "build_warm_s": warm.build_seconds,
        "compiled_s": kept.compiled_s,
        "hits": kept.hit_rate,
        "timed_cold_s": grown.timing_s,
        "engine_bytes": len(warm.engine),
        "gpu_bytes": used,
        "activation_bytes": warm.record.activation_bytes,
        "layers": len(warm.record.working_layers),
        "precisions": warm.record.precisions,
        "relative_error": float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted)),
        **timed,
        "findings": [*(item.message for item in warm.findings), *timed["findings"]],
    }


def _timed(engine: Path, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """What an engine takes, with and without a CUDA graph, and on what."""
    from trt_core.backends.tensorrt.meter import TrtMeter

    meter, quiet = TrtMeter(), CollectingReporter()
    request = LatencyRequest(iterations=1000, profile_layers=False)
    plain = meter.measure(engine, inputs, request, reporter=quiet)
    graphed = meter.measure(engine, inputs, replace(request, cuda_graph=True), reporter=quiet)
    samples = np.asarray(plain.samples_ms)
    clocks = [item.sm_mhz for item in plain.gpu if item.sm_mhz]
    return {
        "p50_ms": float(np.percentile(samples, 50)),
        "p99_ms": float(np.percentile(samples, 99)),
        "graph_p50_ms": float(np.median(graphed.samples_ms)),
        "enqueue_ms": plain.enqueue_ms,
        "h2d_ms": plain.h2d_ms,
        "d2h_ms": plain.d2h_ms,
        "throughput_per_s": BATCH * len(samples) / plain.wall_s,
        "sm_mhz": [min(clocks), max(clocks)] if clocks else None,
        "device": plain.conditions.device,
        "version": plain.conditions.backend_version,
        "findings": [item.message for item in plain.findings],
    }


def apart(name: str, folder: Path) -> dict[str, Any]:
    """One case in a process of its own: what it measured, or why it did not."""
    result = folder / "case.json"
    result.unlink(missing_ok=True)
    words = [sys.executable, "-m", "benchmarks.gpu", "case", name, str(folder), str(result)]
    try:
        ended = subprocess.run(words, cwd=ROOT, check=False, timeout=CASE_LIMIT_S).returncode
    except subprocess.TimeoutExpired:
        return {"error": f"Not done after {CASE_LIMIT_S} s, and ended there."}
    if result.is_file():
        return json.loads(result.read_text())
    how = f"by {signal.Signals(-ended).name}" if ended < 0 else f"with exit status {ended}"
    return {"error": f"The process ended {how}."}


def measure_case(name: str, folder: Path, result: Path) -> None:
    try:
        found = case(name, folder)
    except TrtCoreError as error:
        found = {"error": f"{error.message} {error.remedy}".strip(), "details": error.details}
    result.write_text(json.dumps(found))


def run(folder: Path, results: Path, wanted: list[str]) -> None:
    done = json.loads(results.read_text()) if results.is_file() else {}
    for name in wanted or CASES:
        if name in done:
            continue
        began = time.perf_counter()
        done[name] = apart(name, folder)
        done[name]["seconds"] = time.perf_counter() - began
        results.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")
        shown = {key: value for key, value in done[name].items() if key not in ("findings", "device", "details")}
        print(name, json.dumps(shown), flush=True)


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["case"] and len(words) == 4:
        measure_case(words[1], Path(words[2]), Path(words[3]))
    elif words[:1] == ["run"] and len(words) >= 3:
        run(Path(words[1]), Path(words[2]), words[3:])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
