"""Recordings of TensorRT 8.6 on an H200, as the analyses read them."""

from __future__ import annotations

import gzip
import io
import json
from functools import cache
from pathlib import Path

from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.backends.tensorrt.recording_files import read_recordings
from trt_core.backends.tensorrt.tactics_log import read_tuning
from trt_core.domain.engine import EngineRecord
from trt_core.domain.recordings import EngineStudy
from trt_core.domain.tactics import Tuning
from trt_core.services.recorded_study import study_of

FOLDER = Path(__file__).parents[1] / "data" / "trt86"


def text(filename: str) -> str:
    with gzip.open(FOLDER / filename, "rt", errors="replace") as file:
        return file.read()


@cache
def record(name: str) -> EngineRecord:
    return engine_record_from_json(text(f"{name}.layers.json.gz"), log=text(f"{name}.log.gz"))


@cache
def tactics(name: str) -> tuple[str, ...]:
    layers = json.loads(text(f"{name}.layers.json.gz"), strict=False)["Layers"]
    return tuple(layer["TacticValue"] for layer in layers)


@cache
def tuning(name: str) -> Tuning:
    return read_tuning(text(f"{name}.log.gz"))


@cache
def results() -> dict[str, dict]:
    return json.loads(text("results.json.gz"), strict=False)


def recorded(*names: str) -> dict[str, io.BytesIO]:
    """The files of those engines, as somebody would hand them in."""
    files = {path.name: io.BytesIO(path.read_bytes()) for name in names for path in FOLDER.glob(f"{name}.*.gz")}
    return files | {"results.json": io.BytesIO(json.dumps({name: results()[name] for name in names}).encode())}


@cache
def study(name: str) -> EngineStudy:
    (raw,) = read_recordings(recorded(name))
    return study_of(raw, device="NVIDIA H200", version="8.6.0")
