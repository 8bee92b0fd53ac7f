"""Bytes of what is there, and of what is to be stored."""

from __future__ import annotations

import contextlib
from pathlib import Path


def disk_bytes(path: Path, *, without: str = "") -> int:
    """Bytes of a file, or of all files in a folder but those named `without`; 0 for what is not there any more."""
    found = 0
    for entry in path.rglob("*") if path.is_dir() else (path,):
        with contextlib.suppress(FileNotFoundError):
            found += entry.stat().st_size if entry.is_file() and entry.name != without else 0
    return found


def content_bytes(content: Path | bytes | memoryview) -> int:
    """Bytes of a file or of a buffer."""
    return content.stat().st_size if isinstance(content, Path) else memoryview(content).nbytes
