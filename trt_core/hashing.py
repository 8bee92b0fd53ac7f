"""Content hashes."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def sha256_soon(content: bytes | memoryview) -> Future[str]:
    """The sha256 of bytes in memory, computed beside the caller: hashing gives the interpreter's lock away."""
    return _THREAD.submit(lambda: hashlib.sha256(content).hexdigest())


def file_sha256_soon(path: Path) -> Future[str]:
    """The sha256 of a file, computed beside the caller."""
    return _THREAD.submit(file_sha256, path)


def write_hashed(path: Path, content: bytes | memoryview) -> str:
    """Write bytes to a file while they are hashed; their sha256."""
    digest = sha256_soon(content)
    path.write_bytes(content)
    return digest.result()
