"""What the files of one recorded engine add up to."""

from __future__ import annotations

import json
import re
from statistics import median
from typing import TYPE_CHECKING

from trt_core.domain.engine import EngineRecord
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy, LayerFacts, RunConditions
from trt_core.errors import BackendError, UnreadableRecording

if TYPE_CHECKING:
    from trt_core.backends.tensorrt.recording_files import Raw

_NAMED = re.compile(
    r"^(?P<project>.+?)[_.\- ]+(?P<precision>fp32|tf32|fp16|bf16|int8|fp8|int4)(?:$|[_.\- ])", re.IGNORECASE
)


def study_of(raw: Raw, *, device: str = "", version: str = "") -> EngineStudy:
    """What the files of one engine add up to."""
    from trt_core.backends.tensorrt.memory_log import read_scratch
    from trt_core.backends.tensorrt.recording_files import builder_words
    from trt_core.backends.tensorrt.tactics_log import read_tuning
    from trt_core.backends.tensorrt.trtexec_run import option_conditions, run_conditions

    record, facts = _engine(raw)
    project, asked = named(raw.name)
    tuning = read_tuning(raw.log) if raw.log else None
    times = _times(record, raw.profile)
    device = device or raw.metadata.device
    run = option_conditions(dict(raw.metadata.options), version=version) or run_conditions(
        raw.log, version=version, is_trtexec=raw.source == "trtexec", h2d_ms=raw.h2d_ms
    )
    total = median(raw.samples_ms) if raw.samples_ms else raw.numbers.get("p50")
    batch = next((tensor.shape[0] for tensor in record.io_tensors if tensor.shape and tensor.shape[0] > 0), 0)
    return EngineStudy(
        id="",
        title=raw.name,
        project=project,
        stamp=_stamp(raw, device, version, batch, run),
        record=record,
        asked=asked,
        device=device,
        batch=batch,
        facts=facts,
        times_ms=times,
        total_ms=total,
        graph_ms=raw.numbers.get("graph_p50", total if run is not None and run.cuda_graph else None),
        enqueue_ms=median(raw.enqueue_ms) if raw.enqueue_ms else raw.numbers.get("enq_ms"),
        device_bytes=int(raw.numbers["devmem"]) if "devmem" in raw.numbers else None,
        samples_ms=tuple(raw.samples_ms),
        tuning=tuning,
        said=builder_words(raw.log),
        calibration_cache=raw.calibration,
        run=run,
        scratch=read_scratch(raw.log) if raw.log else (),
    )


def _engine(raw: Raw) -> tuple[EngineRecord, tuple[LayerFacts, ...]]:
    """The record and facts of an engine; from the log, or the profile's names, where there is no inspector's dump."""
    from trt_core.backends.tensorrt.build_log import read_log
    from trt_core.backends.tensorrt.inspector import engine_record_from_json
    from trt_core.backends.tensorrt.layer_facts import layer_facts

    if raw.layers_json:
        try:
            record = engine_record_from_json(raw.layers_json, log=raw.log)
        except BackendError as error:
            raise UnreadableRecording(f"{raw.name[:80]!r}: {error.message}", remedy=error.remedy) from error
        return record, layer_facts(raw.layers_json)
    said = read_log(raw.log)
    if not said.layers and raw.profile:
        listed = json.dumps({"Layers": [name for name, _ in raw.profile]})
        return engine_record_from_json(listed), layer_facts(listed)
    record = EngineRecord(
        layers=said.layers,
        passes=said.passes,
        activation_bytes=said.activation_bytes,
        weight_bytes=said.weight_bytes,
    )
    return record, tuple(LayerFacts(name=layer.name, tactic=layer.kernel) for layer in said.layers)


def _times(record: EngineRecord, profile: list[tuple[str, float]]) -> tuple[float | None, ...]:
    """A profile's times by layer; of several entries with one name, each layer takes the next."""
    waiting: dict[str, list[float]] = {}
    for name, time_ms in profile:
        waiting.setdefault(name, []).append(time_ms)
    return tuple(
        (waiting[layer.name].pop(0) if waiting.get(layer.name) else None) if profile else None
        for layer in record.layers
    )


def named(text: str) -> tuple[str, Precision]:
    """Project and precision that a recording's name stands for: `r18_int8_calib` is project r18, asked for INT8."""
    found = _NAMED.match(text)
    return (found["project"], Precision(found["precision"].lower())) if found else (text, Precision.UNKNOWN)


def _stamp(raw: Raw, device: str, version: str, batch: int, run: RunConditions | None) -> str:
    profiled = "layer times from a separate profiled run"
    if run is not None and not run.separate_profile and raw.samples_ms:
        profiled = "layer times from the same run, which profiling slows down"
    shown = version or (run.version if run is not None else "")
    parts = [
        f"Recorded on {device}" if device else "Recorded elsewhere, on a device that the files do not name",
        f"TensorRT {shown}" if shown else "",
        f"batch {batch}" if batch else "",
        f"{len(raw.samples_ms)} samples" if raw.samples_ms else "",
        profiled if raw.profile else "",
        run.sentence if run is not None else "",
    ]
    return ", ".join(part for part in parts if part) + "."
