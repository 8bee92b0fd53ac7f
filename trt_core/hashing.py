"""Content hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def bytes_sha256(content: bytes | memoryview) -> str:
    """The sha256 of bytes in memory, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
