"""Time of each node, from ONNX Runtime's own profile of a separate run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trt_core.backends.onnxruntime import gate
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.jobs import Progress
from trt_core.errors import BackendError
from trt_core.onnx_graph.load import parse_model
from trt_core.onnx_graph.naming import node_name
from trt_core.protocols import Feeds, Reporter

_SUFFIX = "_kernel_time"
_WARMUP = 3


@dataclass(frozen=True, kw_only=True)
class OpProfile:
    """(node, op, mean ms) in the order in which the nodes ran, as ONNX Runtime's optimizer left them.

    Names are the file's, where the optimizer only added to them. A fused node has the name that ONNX Runtime gave it.
    Profiling slows every node down: the shares mean more than the times, and neither belongs to the samples of a
    measurement.
    """

    layers: tuple[tuple[str, str, float], ...]
    run_ms: float  # mean of one whole profiled run
    runs: int


def profile_ops(
    runner: OrtRunner, onnx_path: Path, feeds: Feeds, reporter: Reporter, *, runs: int = 20, threads: int = 0
) -> OpProfile:
    """Run a model under ONNX Runtime's profiler; raises what loading and running raise."""
    with tempfile.TemporaryDirectory(prefix="ort-profile-") as folder:
        session = runner.load_profiled(onnx_path, prefix=Path(folder) / "run", threads=threads)
        once = session.bound(feeds)
        for number in range(_WARMUP + runs):
            reporter.check()
            with gate.running():
                once()
            if number % 10 == 0:
                reporter.progress(Progress(phase="profile", fraction=number / (_WARMUP + runs)))
        content = session.end_profiling().read_text(encoding="utf-8", errors="replace")
    known = {node_name(node) for node in parse_model(onnx_path).graph.node}
    try:
        return read_profile(json.loads(content), skip=_WARMUP, known=known)
    except (ValueError, KeyError, TypeError) as error:
        raise BackendError(
            "ONNX Runtime's profile cannot be read.", remedy="Measure without the profile.", details=str(error)
        ) from error


def read_profile(events: list[dict[str, Any]], *, skip: int, known: Collection[str] = ()) -> OpProfile:
    """Mean time of each node over the runs of a profile (trace events, µs), the first `skip` runs left out.

    `known` are the names of the file's nodes. Raises ValueError, KeyError or TypeError where it is no such profile.
    """
    bounds = sorted((run["ts"], run["ts"] + run["dur"]) for run in events if run.get("name") == "model_run")[skip:]
    if not bounds:
        raise ValueError("the profile holds no run")
    totals: dict[tuple[str, str], float] = {}
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX)]
    for event in sorted(nodes, key=lambda event: event["ts"]):
        if event["ts"] < bounds[0][0]:
            continue
        key = (_own_name(event["name"].removesuffix(_SUFFIX), known), event["args"]["op_name"])
        totals[key] = totals.get(key, 0.0) + event["dur"]
    count = len(bounds)
    layers = tuple((name, op_type, total / count / 1e3) for (name, op_type), total in totals.items())
    return OpProfile(layers=layers, run_ms=sum(end - start for start, end in bounds) / count / 1e3, runs=count)


def _own_name(name: str, known: Collection[str]) -> str:
    """The file's name, where ONNX Runtime added a transformation's behind it: `conv1_nchwc`, `scores/Fusion/`."""
    stem = name.removesuffix("_nchwc")
    while stem and stem not in known:
        stem = stem.rpartition("/")[0]
    return stem or name
