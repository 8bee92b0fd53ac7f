"""TensorRT as a meter, by trtexec's definitions: GPU compute between events, transfers and enqueue beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from trt_core.backends.gpu_name import gpu_title
from trt_core.backends.nvml import watched
from trt_core.backends.tensorrt.device import Gpu, this_gpu
from trt_core.backends.tensorrt.engines import load_engine
from trt_core.backends.tensorrt.inspection import engine_json
from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.backends.tensorrt.layer_profile import profile_layers
from trt_core.backends.tensorrt.native import BACKEND, library, load_plugins
from trt_core.backends.tensorrt.plugins import plugin_libraries
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.backends.tensorrt.timed_loop import Timed, time_inferences, time_transfers
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyConditions, LatencyRequest, Measured
from trt_core.protocols import Feeds, Reporter


class TrtMeter:
    """Measures engines on the first GPU. `plugins` are libraries that the operator named, or folders of them."""

    name = BACKEND

    def __init__(self, *, plugins: Sequence[Path] = ()) -> None:
        self._plugins = plugin_libraries(plugins)

    def check(self) -> None:
        """Nothing beyond the compiler's own probe: to load the library without a driver can end the process."""

    def measure(self, path: Path, feeds: Feeds, request: LatencyRequest, *, reporter: Reporter) -> Measured:
        """Load an engine, warm up for 50 runs and 200 ms at least, keep every sample; layers in a run of their own.

        Raises InvalidData and InvalidProfile for feeds that no profile holds, BackendError for an engine that does not
        load here, JobCancelled.
        """
        reporter.progress(Progress(phase="Loading"))
        gpu = this_gpu()
        load_plugins(self._plugins)
        engine = load_engine(path)
        with ExitStack() as stack:
            sessions = self._sessions(engine, gpu, feeds, request, stack)
            h2d_ms, d2h_ms = self._first_runs(sessions)
            timed, samples, unwatched = watched(lambda: time_inferences(sessions, request, reporter), bus_id=gpu.bus_id)
            layers, notes = self._layers(engine, sessions[0], request, timed)
            conditions = _conditions(gpu, sessions[0], feeds, request, timed)
        return Measured(
            samples_ms=tuple(timed.compute),
            warmup_ms=tuple(timed.warmup),
            wall_s=timed.wall_s,
            conditions=conditions,
            layers=layers,
            enqueue_ms=float(np.median(timed.enqueue)),
            h2d_ms=h2d_ms,
            d2h_ms=d2h_ms,
            gpu=samples,
            findings=(*notes, *unwatched),
        )

    def _sessions(
        self, engine: Any, gpu: Gpu, feeds: Feeds, request: LatencyRequest, stack: ExitStack
    ) -> list[TrtSession]:
        sessions = []
        for _ in range(request.streams):
            session = TrtSession(engine, device=gpu.name, version=library().__version__)
            stack.callback(session.close)
            session.bind(feeds)
            sessions.append(session)
        return sessions

    def _first_runs(self, sessions: Sequence[TrtSession]) -> tuple[float, float]:
        """Fill every session's inputs; medians of the copies to the GPU and back."""
        for session in sessions:
            session.upload()
            session.enqueue()
            session.stream.synchronize()
        return time_transfers(sessions[0])

    def _layers(
        self, engine: Any, session: TrtSession, request: LatencyRequest, timed: Timed
    ) -> tuple[tuple[tuple[str, str, float], ...], tuple[Finding, ...]]:
        notes = _graph_notes(timed)
        if not request.profile_layers:
            return (), notes
        record = engine_record_from_json(engine_json(engine))
        kinds = {layer.name: layer.kind for layer in record.layers}
        rows, overhead = profile_layers(session, kinds, median_ms=float(np.median(timed.compute)))
        return rows, (*notes, overhead)


def _graph_notes(timed: Timed) -> tuple[Finding, ...]:
    if not timed.graph_refused:
        return ()
    return (
        Finding(
            rule="cuda-graph-refused",
            severity=Severity.WARNING,
            message=f"The engine was enqueued, not launched as a CUDA graph: {timed.graph_refused}",
            remedy="Loops, branches and sizes that depend on the data cannot be captured.",
        ),
    )


def _conditions(
    gpu: Gpu, session: TrtSession, feeds: Feeds, request: LatencyRequest, timed: Timed
) -> LatencyConditions:
    shapes = tuple((spec.name, tuple(np.shape(feeds[spec.name]))) for spec in session.inputs)
    how = "launched as a CUDA graph" if timed.used_graph else "enqueued"
    streams = "one stream" if request.streams == 1 else f"{request.streams} streams at once"
    what, copies = (
        ("Copies and GPU compute", "in every sample") if request.transfers else ("GPU compute", "timed apart")
    )
    return LatencyConditions(
        device=gpu_title(gpu.name, gpu.sm.major, gpu.sm.minor),
        backend=BACKEND,
        backend_version=session.version,
        method=(
            f"{what} between CUDA events around one inference, {how}, on {streams}; each ends before the next "
            f"begins. Copies to and from pinned memory are {copies}. Warm-up of {len(timed.warmup)} runs is kept "
            "apart."
        ),
        shapes=shapes,
        batch=next((shape[0] for _, shape in shapes if shape), 1),
        threads=0,
        warmup=len(timed.warmup),
        streams=request.streams,
        cuda_graph=timed.used_graph,
        includes_transfers=request.transfers,
        load_before=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )
