"""The latency lab over 5,000 engine layers and 100,000 samples: how long its scripts take, and what is drawn."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from benchmarks.dashboard import environment, script_runs
from benchmarks.tables import Table, median, percentile
from tests.large_engine import trtexec_layer

LAYERS, SAMPLES = 5_000, 100_000
TAIL = 100  # samples that take ten times as long: no picture may lose them
_VIEWS = ("Why they differ", "Where the time goes", "Tactics", "Memory", "Layers", "Findings", "Samples")
_MOST_POINTS = 20_000


def run() -> list[Table]:
    """Fill a workspace with two large recordings and a long run, then time the scripts of both pages."""
    with tempfile.TemporaryDirectory(prefix="enginescope-lab-") as name:
        workspace = Path(name)
        engines, latency = _engines(workspace), _latency(workspace)
        queries = [("engines", view, engines | {"view": view}) for view in _VIEWS]
        return [_scripts(workspace, [*queries, ("latency", "one run", latency)]), _pictures()]


def _engines(workspace: Path) -> dict[str, str]:
    """Two synthetic engines in trtexec's own files, with times of layers and of inferences; the query of both."""
    from trt_core.workbench import workspace_of

    bench, rng, ids = workspace_of(workspace), np.random.default_rng(1), []
    spent = [float(value) for value in rng.lognormal(-5.0, 0.5, LAYERS)]
    parts = {
        "graph": {"Layers": [trtexec_layer(number) for number in range(LAYERS)]},
        "profile": [{"count": 1}, *({"name": f"conv_{n}", "averageMs": ms} for n, ms in enumerate(spent))],
        "timing": [{"computeMs": float(ms), "latencyMs": float(ms)} for ms in _samples()],
    }
    for precision in ("fp16", "int8"):
        files = {f"large.{precision}.{part}.json": io.BytesIO(json.dumps(v).encode()) for part, v in parts.items()}
        ids.append(bench.recordings.add_files(files, device="NVIDIA H200")[0].id)
    return {"engine": ids[0], "against": ids[1]}


def _latency(workspace: Path) -> dict[str, str]:
    """A real run of as many samples of the smallest model there is; its query."""
    from trt_core.domain.latency import LatencyRequest
    from trt_core.domain.requests import BenchSpec
    from trt_core.testing import CollectingReporter
    from trt_core.workbench import workspace_of

    border = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", border[:1], border[1:])
    path = workspace / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    bench = workspace_of(workspace)
    model = bench.library.add_file(path, trusted=True)
    spec = BenchSpec(subject_id=model.id, request=LatencyRequest(iterations=SAMPLES))
    return {"model": model.id, "latency": bench.latency.perform(spec, CollectingReporter()).id}


def _scripts(workspace: Path, queries: list[tuple[str, str, dict[str, str]]]) -> Table:
    rows, limits = [], []
    with environment(workspace):
        for page, view, query in queries:
            wall, cpu = script_runs(page, query)
            p95 = percentile(wall, 95)
            shown = (median(wall), p95, max(wall), percentile(cpu, 95))
            rows.append((f"{page}: {view}", *(f"{1000 * seconds:.0f}" for seconds in shown)))
            limits.append((f"{page}: {view}: script run, p95", f"{p95:.3f} s", "1 s", p95 < 1.0))
    return Table(
        title=f"Script runs over {LAYERS:,} engine layers and {SAMPLES:,} samples",
        method=(
            "Streamlit's AppTest runs the real scripts over a real workspace, several new sessions in one process, "
            "milliseconds; the first run of all reads the recording from disk and is the slowest. The engine's layers "
            "are synthetic, in the files that trtexec writes; the run is a real one of a single Relu."
        ),
        columns=("page and view", "median", "p95", "slowest", "p95 of processor time"),
        rows=tuple(rows),
        limits=tuple(limits),
    )


def _pictures() -> Table:
    """What the pictures of 100,000 samples hold: few points, and the whole tail."""
    from pages.ui.latency_charts import ecdf_figure, histogram_figure, time_figure
    from pages.ui.latency_violin import violin_figure

    view, slow = _view(), 0.5 * 10.0
    slowest = max(view.run.samples_ms)
    figures = {
        "ECDF": (ecdf_figure([view]), lambda figure: np.concatenate([trace.x for trace in figure.data[-1:]])),
        "over time": (time_figure([view]), lambda figure: figure.data[0].y + figure.data[0].error_y.array),
        "violin": (violin_figure([view]), lambda figure: np.asarray(figure.data[-1].y)),
    }
    rows, limits = [], []
    for name, (figure, drawn) in figures.items():
        points = sum(len(trace.x) for trace in figure.data)
        latencies = drawn(figure)
        tail = int(np.sum(latencies > slow))
        rows.append((name, f"{points:,}", f"{len(figure.to_json()) / 1024:,.0f}", str(tail)))
        kept = float(np.max(latencies))
        limits.append((f"{name}: slowest sample drawn, ms", f"{kept:.4f}", f"{slowest:.4f}", kept >= slowest))
        limits.append((f"{name}: points", f"{points:,}", f"{_MOST_POINTS:,}", points < _MOST_POINTS))
    histogram = histogram_figure([view])
    rows.append(("histogram", f"{len(histogram.data[0].x):,}", f"{len(histogram.to_json()) / 1024:,.0f}", "counted"))
    return Table(
        title=f"What is drawn of {SAMPLES:,} samples, {TAIL} of them ten times as long",
        method=(
            "Points of all traces, and the size of the figure as a browser gets it. Over time a mark stands for its "
            "neighbours and a bar reaches to the slowest of them; the histogram says how many lie beyond its axis."
        ),
        columns=("picture", "points", "KiB", "slow samples or bars drawn"),
        rows=tuple(rows),
        limits=tuple(limits),
    )


def _samples() -> np.ndarray:
    rng = np.random.default_rng(3)
    samples = rng.lognormal(0.0, 0.02, SAMPLES)
    samples[rng.choice(SAMPLES, TAIL, replace=False)] *= 10.0
    return samples


def _view() -> Any:
    from pages.ui.latency_runs import RunView
    from trt_core.analysis.latency import summarize
    from trt_core.domain.latency import LatencyConditions, LatencyRun
    from trt_core.domain.precision import Precision

    samples = tuple(float(value) for value in _samples())
    conditions = LatencyConditions(
        device="drawn", backend="ort", backend_version="", method="drawn", shapes=(), batch=1, threads=0, warmup=0
    )
    run = LatencyRun(
        id="l-000000000000",
        subject_id="",
        model_id="",
        label="drawn",
        created_at=0.0,
        conditions=conditions,
        samples_ms=samples,
        warmup_ms=(),
        wall_s=sum(samples) / 1000.0,
    )
    summary = summarize(samples, wall_s=run.wall_s, batch=1)
    return RunView(run=run, summary=summary, precision=Precision.FP32, letter="A", order=0)
