"""Copying with a running count: hash, size limit and expansion limit in one pass."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trt_core.errors import InvalidInput, UnreadableModel
from trt_core.hashing import file_sha256_soon

_BLOCK = 1 << 20
_FREE_EXPANSION = 16 << 20  # below this, even a highly compressible file harms nobody


@dataclass(frozen=True, kw_only=True)
class IntakeLimits:
    """How much one upload may bring: bytes in all, files in an archive, and how far an archive may expand."""

    total_bytes: int = 16 << 30
    max_files: int = 10_000
    max_ratio: float = 100.0


def copy_stream(
    source: IO[bytes] | Path, target: Path, limits: IntakeLimits, *, spent: int = 0, compressed: int | None = None
) -> tuple[int, Future[str]]:
    """Write a stream or file to a new file; its size, and its SHA-256 which may still be computed beside the caller.

    `spent` bytes count against the limits already; `compressed` is the size of the archive that the source comes from.
    The count is of bytes that really arrive, whatever an archive declares. Raises InvalidInput above `total_bytes`,
    UnreadableModel above `max_ratio`.
    """
    if isinstance(source, Path):
        return _copy_file(source, target, limits, spent)
    digest = hashlib.sha256()
    size = 0
    view = memoryview(bytearray(_BLOCK))
    with target.open("xb", buffering=0) as out:
        while count := source.readinto(view):  # type: ignore[attr-defined] # typing.IO leaves readinto out
            size += count
            _check(spent + size, limits, compressed)
            digest.update(view[:count])
            out.write(view[:count])
    known: Future[str] = Future()
    known.set_result(digest.hexdigest())
    return size, known


def _copy_file(source: Path, target: Path, limits: IntakeLimits, spent: int) -> tuple[int, Future[str]]:
    _check(spent + source.stat().st_size, limits, None)
    # Copied inside the kernel, several times faster than through Python; then the copy is hashed, not the source, which
    # may change meanwhile.
    shutil.copyfile(source, target)
    size = target.stat().st_size
    _check(spent + size, limits, None)
    return size, file_sha256_soon(target)


def _check(size: int, limits: IntakeLimits, compressed: int | None) -> None:
    if size > limits.total_bytes:
        raise InvalidInput(
            f"The model is larger than the limit of {limits.total_bytes:,} bytes.",
            remedy="Put it under a configured folder, or raise the limit.",
        )
    if compressed is not None and size > max(_FREE_EXPANSION, limits.max_ratio * compressed):
        raise UnreadableModel(
            f"The archive expands to more than {limits.max_ratio:g} times its {compressed:,} bytes.",
            remedy="Upload the .onnx file and its data files themselves.",
        )
