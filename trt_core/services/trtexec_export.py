"""Engines and runs as the JSON files that trtexec exports."""

from __future__ import annotations

import re

from trt_core.domain.latency import LatencyRun
from trt_core.domain.recordings import EngineStudy
from trt_core.errors import InvalidInput, UnsupportedRequest

DIALECTS = ("8", "10", "11")  # of the layer information
_ODD = re.compile(r"[^\w.-]+")


def files_of_study(study: EngineStudy, dialect: str = "10") -> dict[str, str]:
    """Layer information of an engine, with its layer profile and times where there are any; names to contents."""
    from trt_core.backends.tensorrt.trtexec_files import layers_json, profile_json, times_json

    if dialect not in DIALECTS:
        raise InvalidInput(f"There is no dialect {dialect!r}.", remedy=f"Use {', '.join(DIALECTS)}.")
    if not study.record.layers:
        raise UnsupportedRequest(f"{study.title!r} has no layers to export.", remedy="Choose another engine.")
    stem = stem_for(study.title)
    files = {f"{stem}.layers.json": layers_json(study.record, study.facts, dialect=dialect)}
    timed = zip(study.record.layers, study.times_ms, strict=False)
    profile = [(layer.name, time) for layer, time in timed if time is not None]
    if profile:
        files[f"{stem}.profile.json"] = profile_json(profile)
    if study.samples_ms:
        files[f"{stem}.times.json"] = times_json(study.samples_ms, enqueue_ms=study.enqueue_ms)
    return files


def files_of_run(run: LatencyRun) -> dict[str, str]:
    """Times and layer profile of a latency run in TensorRT; UnsupportedRequest for a run of another library."""
    from trt_core.backends.tensorrt.trtexec_files import profile_json, times_json

    if reason := why_no_files(run):
        raise UnsupportedRequest(reason, remedy="Measure an engine in TensorRT, or take the samples as CSV.")
    stem = stem_for(run.id)
    times = times_json(
        run.samples_ms,
        enqueue_ms=run.enqueue_ms,
        h2d_ms=run.h2d_ms,
        d2h_ms=run.d2h_ms,
        with_copies=run.conditions.includes_transfers,
    )
    files = {f"{stem}.times.json": times}
    if run.layers:
        files[f"{stem}.profile.json"] = profile_json((name, mean) for name, _, mean in run.layers)
    return files


def why_no_files(run: LatencyRun) -> str:
    """Why a run is not written as trtexec's files, "" when it is."""
    if run.conditions.backend == "tensorrt":
        return ""
    return "trtexec's files hold times of a GPU; this run was not measured in TensorRT."


def stem_for(title: str) -> str:
    """A file name's beginning, of letters, digits, dots and dashes: importing tells engines apart by it."""
    return _ODD.sub("_", title).strip("._")[:80] or "engine"
