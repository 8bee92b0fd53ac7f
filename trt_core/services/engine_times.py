"""What a run in TensorRT says of the layers of an engine that was built here."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.latency import LatencyRun
from trt_core.domain.recordings import EngineStudy
from trt_core.services.latency import Latencies


def with_times(study: EngineStudy, build: BuildRecord, latency: Latencies) -> EngineStudy:
    """The study with the times of the newest run that timed the layers at the study's batch, if there is one."""
    found = _run(study, build, latency)
    if found is None:
        return study
    head, run = found
    of_name: dict[str, float] = defaultdict(float)
    for name, _, mean_ms in run.layers:
        of_name[name] += mean_ms
    count = Counter(layer.name for layer in study.record.layers)
    times = tuple(
        of_name[layer.name] / count[layer.name] if layer.name in of_name else None for layer in study.record.layers
    )
    p50_ms = latency.summary(run.id).p50_ms
    is_graph = head.conditions.cuda_graph
    return replace(
        study,
        times_ms=times,
        total_ms=None if is_graph else p50_ms,
        graph_ms=p50_ms if is_graph else None,
        enqueue_ms=run.enqueue_ms,
        stamp=f"{study.stamp} Times: run {run.id} on {head.conditions.device}; layers from a run with a profiler.",
    )


def _run(study: EngineStudy, build: BuildRecord, latency: Latencies) -> tuple[LatencyRun, LatencyRun] | None:
    for head in latency.heads(build.model_id):
        how = head.conditions
        is_plain = how.backend == "tensorrt" and how.streams == 1 and not how.includes_transfers
        if head.subject_id == build.id and is_plain and how.batch == study.batch:
            run = latency.run(head.id)
            if run.layers:
                return head, run
    return None
