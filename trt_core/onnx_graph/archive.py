"""Zip archives from outside: their directory is checked before anything is read."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.streams import IntakeLimits
from trt_core.onnx_graph.tensors import shown

_NESTED = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
_ADVICE = "Pack the .onnx file and its data files with plain relative names."


class Archive:
    """A checked zip: names of its files, and streams of their bytes."""

    def __init__(self, archive: zipfile.ZipFile, compressed_size: int) -> None:
        self._archive = archive
        self.compressed_size = compressed_size
        # "./model.onnx" and "model.onnx" are one name; what macOS adds beside every file is nobody's model.
        self._entries = {
            PurePosixPath(item.filename).as_posix(): item
            for item in archive.infolist()
            if not item.is_dir() and not item.filename.startswith("__MACOSX/")
        }
        self.names = list(self._entries)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The decompressed bytes of one file as a stream; UnreadableModel when they are damaged."""
        try:
            with self._archive.open(self._entries[name]) as stream:
                yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise UnreadableModel(
                f"{shown(name)} in the archive cannot be read: {error}.", remedy="Pack the archive again."
            ) from error


@contextmanager
def open_archive(source: IO[bytes] | Path, name: str, limits: IntakeLimits) -> Iterator[Archive]:
    """A zip whose directory was checked.

    Raises UnreadableModel: not a zip, too many files, a name that points outside, a link, a nested archive, encrypted,
    two files of one name, or sizes declared above the limits.
    """
    try:
        size = _size(source)
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise UnreadableModel(f"{shown(name)} is no readable zip archive: {error}.", remedy="Pack it again.") from error
    with archive:
        entries = archive.infolist()
        if len(entries) > limits.max_files:
            raise UnreadableModel(
                f"The archive holds {len(entries):,} files; the limit is {limits.max_files:,}.", remedy=_ADVICE
            )
        seen: set[str] = set()
        for entry in entries:
            _check_entry(entry)
            if entry.filename in seen:
                raise UnreadableModel(f"The archive holds {shown(entry.filename)} twice.", remedy=_ADVICE)
            seen.add(entry.filename)
        declared = sum(entry.file_size for entry in entries)
        if declared > limits.total_bytes:
            raise UnreadableModel(
                f"The archive declares {declared:,} bytes; the limit is {limits.total_bytes:,}.",
                remedy="Pick the model from a folder of the server, or raise ENGINESCOPE_UPLOAD_MB.",
            )
        yield Archive(archive, size)


def _size(source: IO[bytes] | Path) -> int:
    """Bytes of the archive itself: what its entries declare as compressed may overlap or lie."""
    if isinstance(source, Path):
        return source.stat().st_size
    size = source.seek(0, 2)
    source.seek(0)
    return size


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    # zipfile cuts names at a NUL and turns backslashes on Windows only; the raw name shows both.
    raw = entry.orig_filename
    if "\0" in raw or "\\" in raw or raw.startswith("/") or re.match(r"[A-Za-z]:", raw) or ".." in raw.split("/"):
        raise UnreadableModel(f"The archive holds {shown(raw)}, which points outside of it.", remedy=_ADVICE)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnreadableModel(f"The archive holds {shown(name)}, a link or device.", remedy=_ADVICE)
    if entry.flag_bits & 0x1:
        raise UnreadableModel(f"{shown(name)} in the archive is encrypted.", remedy="Pack it without a password.")
    if name.lower().endswith(_NESTED):
        raise UnreadableModel(f"The archive holds another archive, {shown(name)}.", remedy=_ADVICE)
