"""Recordings of engines from other machines: brought in, listed, opened."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, BinaryIO

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.engine import EngineRecord
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy, LayerFacts, Recording
from trt_core.errors import BackendError, InvalidData
from trt_core.services.context import Context, content_id

if TYPE_CHECKING:
    from trt_core.backends.tensorrt.recording_files import Raw

_NAMED = re.compile(
    r"^(?P<project>.+?)[_.\- ]+(?P<precision>fp32|tf32|fp16|bf16|int8|fp8|int4)(?:$|[_.\- ])", re.IGNORECASE
)
_CAME_LATER = ("calibration_cache", "run")  # fields that are left out where they are empty: ids stay what they were
_ENDINGS = (".json", ".json.gz", ".log", ".log.gz", ".txt", ".calib", ".calib.gz")


class Recordings:
    """What other machines recorded of their engines."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def add_folder(self, folder: Path, *, device: str = "", version: str = "") -> list[Recording]:
        """Take every recording of a folder, links left out; InvalidData when there is none."""
        if not folder.is_dir():
            raise InvalidData(f"{str(folder)!r} is not a folder.", remedy="Give the folder that holds the recordings.")
        paths = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(_ENDINGS)]
        with ExitStack() as open_files:
            files: dict[str, BinaryIO] = {
                path.name: open_files.enter_context(path.open("rb"))
                for path in paths
                if path.is_file() and not path.is_symlink()
            }
            return self.add_files(files, device=device, version=version)

    def add_files(self, files: Mapping[str, BinaryIO], *, device: str = "", version: str = "") -> list[Recording]:
        """Take recordings out of open files; the same contents again are the recording that is there already."""
        from trt_core.backends.tensorrt.recording_files import read_recordings

        return [self._keep(raw, device[:100], version[:40]) for raw in read_recordings(files)]

    def samples_folder(self) -> Path | None:
        """Recordings that come with the samples; None where they were not installed."""
        folder = self._context.settings.samples / "recordings"
        return folder if folder.is_dir() else None

    def recordings(self) -> list[Recording]:
        """All recordings by project and name."""
        found = [self.recording(item) for item in self._context.store.ids(ArtifactKind.RECORDING)]
        return sorted(found, key=lambda item: (item.project, item.name))

    def recording(self, recording_id: str) -> Recording:
        """One recording."""
        return from_plain(Recording, self._context.store.record(checked_id(recording_id, ArtifactKind.RECORDING)))

    def study(self, recording_id: str) -> EngineStudy:
        """Everything of one recording."""
        head = self.recording(recording_id)
        packed = self._context.store.path(recording_id, "study.json.gz").read_bytes()
        return from_plain(EngineStudy, json.loads(gzip.decompress(packed)) | {"id": head.id})

    def delete(self, recording_id: str) -> int:
        """Remove one recording; the bytes freed."""
        return self._context.store.delete(checked_id(recording_id, ArtifactKind.RECORDING))

    def _keep(self, raw: Raw, device: str, version: str) -> Recording:
        study = study_of(raw, device=device, version=version)
        plain = to_plain(study)
        for name in _CAME_LATER:
            if not plain.get(name):
                plain.pop(name, None)
        content = json.dumps(plain, separators=(",", ":")).encode()
        recording_id = content_id(ArtifactKind.RECORDING, {"study": hashlib.sha256(content).hexdigest()})
        head = _head(recording_id, raw, study, version, self._context.clock())
        files: dict[str, Path | bytes | memoryview] = {"study.json.gz": gzip.compress(content, 3, mtime=0)}
        self._context.store.put(ArtifactKind.RECORDING, recording_id, head, files)
        return self.recording(recording_id)


def study_of(raw: Raw, *, device: str = "", version: str = "") -> EngineStudy:
    """What the files of one engine add up to."""
    from trt_core.backends.tensorrt.recording_files import builder_words
    from trt_core.backends.tensorrt.tactics_log import read_tuning

    record, facts = _engine(raw)
    project, asked = named(raw.name)
    tuning = read_tuning(raw.log) if raw.log else None
    times = _times(record, raw.profile)
    batch = next((tensor.shape[0] for tensor in record.io_tensors if tensor.shape and tensor.shape[0] > 0), 0)
    return EngineStudy(
        id="",
        title=raw.name,
        project=project,
        stamp=_stamp(raw, device, version, batch),
        record=record,
        asked=asked,
        device=device,
        batch=batch,
        facts=facts,
        times_ms=times,
        total_ms=median(raw.samples_ms) if raw.samples_ms else raw.numbers.get("p50"),
        graph_ms=raw.numbers.get("graph_p50"),
        enqueue_ms=median(raw.enqueue_ms) if raw.enqueue_ms else raw.numbers.get("enq_ms"),
        device_bytes=int(raw.numbers["devmem"]) if "devmem" in raw.numbers else None,
        samples_ms=tuple(raw.samples_ms),
        tuning=tuning,
        said=builder_words(raw.log),
        calibration_cache=raw.calibration,
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
            raise InvalidData(f"{raw.name[:80]!r}: {error.message}", remedy=error.remedy) from error
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


def _stamp(raw: Raw, device: str, version: str, batch: int) -> str:
    parts = [
        f"Recorded on {device}" if device else "Recorded elsewhere, on a device that the files do not name",
        f"TensorRT {version}" if version else "",
        f"batch {batch}" if batch else "",
        f"{len(raw.samples_ms)} samples" if raw.samples_ms else "",
        "layer times from a separate profiled run" if raw.profile else "",
    ]
    return ", ".join(part for part in parts if part) + "."


def _head(recording_id: str, raw: Raw, study: EngineStudy, version: str, now: float) -> Recording:
    return Recording(
        id=recording_id,
        project=study.project,
        name=study.title,
        created_at=now,
        source=raw.source or "files",
        asked=study.asked,
        device=study.device,
        version=version,
        batch=study.batch,
        layer_count=len(study.record.working_layers),
        precisions=tuple(study.record.precisions.items()),
        p50_ms=study.total_ms,
        graph_p50_ms=study.graph_ms,
        enqueue_ms=study.enqueue_ms,
        build_s=raw.numbers.get("build_s"),
        device_bytes=study.device_bytes,
        sample_count=len(study.samples_ms),
        timing_count=study.tuning.timing_count if study.tuning else 0,
        has_layer_times=study.has_times,
    )
