"""Recordings of TensorRT 8.6 on an H200, as the analyses read them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.backends.tensorrt.tactics_log import read_tuning
from trt_core.domain.engine import EngineRecord
from trt_core.domain.tactics import Tuning

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
