"""Caches that outlive a build: tactic timings and calibration, in files of the workspace."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trt_core.backends.tensorrt.device import Gpu
from trt_core.protocols import CalibrationInput

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class KeptFiles:
    """Where they lie. Timings belong to one TensorRT version, GPU and driver; nothing else may read them."""

    folder: Path

    def timings(self, version: str, gpu: Gpu) -> Path:
        """The timing cache of that version and GPU."""
        return self.folder / "timing" / f"trt-{version}-{gpu.slug}.cache"

    def brought(self, sha256: str) -> Path:
        """A timing cache that somebody brought from elsewhere, by its content."""
        return self.folder / "timing" / f"brought-{sha256[:24]}.cache"

    def calibration(self, onnx_path: Path, request: CalibrationInput, version: str) -> Path:
        """The calibration cache of a file, data and method."""
        digest = hashlib.sha256(f"{request.data_sha256} {request.method.value} {version}".encode())
        with onnx_path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return self.folder / "calibration" / f"{digest.hexdigest()[:24]}.cache"


def read_kept(path: Path) -> bytes:
    """The bytes of a kept file; none where there is none."""
    return path.read_bytes() if path.is_file() else b""


def keep(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a second build may read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
