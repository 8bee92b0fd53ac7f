"""What TensorRT 8.6 wrote on an H200: logs, inspector records and calibration caches."""

from __future__ import annotations

import gzip
from pathlib import Path

from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.domain.engine import EngineRecord

FOLDER = Path(__file__).parents[2] / "data" / "trt86"


def log(name: str) -> str:
    return gzip.decompress((FOLDER / f"{name}.log.gz").read_bytes()).decode()


def layers_json(name: str) -> str:
    return gzip.decompress((FOLDER / f"{name}.layers.json.gz").read_bytes()).decode()


def record(name: str) -> EngineRecord:
    return engine_record_from_json(layers_json(name), log=log(name))
