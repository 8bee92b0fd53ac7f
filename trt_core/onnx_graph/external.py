"""External data: where a model's weights may lie, checked before anything opens them."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any

from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.tensors import all_tensors, declared_bytes, is_external, shown

_OUTSIDE = "Save the weights beside the model, under a plain relative file name."


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Where one tensor's bytes lie: a relative location, an offset and the bytes that the tensor declares."""

    location: str
    offset: int
    size: int


def safe_location(location: str, tensor: str = "") -> str:
    """The location if it is a plain path below the model's folder, with `/` between its parts.

    Raises UnreadableModel for an empty, absolute or outward-pointing one, drive letters and backslashes included.
    """
    parts = location.split("/")
    if (
        not location
        or "\\" in location
        or "\0" in location
        or location.startswith("/")
        or re.match(r"[A-Za-z]:", location)
        or ".." in parts
    ):
        whose = f"Tensor {shown(tensor)}" if tensor else "The model"
        raise UnreadableModel(
            f"{whose} keeps its data at {shown(location)}, outside the model's folder.", remedy=_OUTSIDE
        )
    return "/".join(part for part in parts if part not in ("", "."))


def slice_of(tensor: Any) -> Slice:
    """Location, offset and size of an external tensor; UnreadableModel when the entries do not fit the tensor."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if not all(isinstance(text, str) for pair in entries.items() for text in pair):
        raise UnreadableModel(
            f"The external data of {shown(tensor.name)} are described in bytes that are not UTF-8.",
            remedy="The file is damaged: export or copy the model again.",
        )
    location = safe_location(entries.get("location", ""), tensor.name)
    size = declared_bytes(tensor)
    offset, length = (_whole(tensor, key, entries.get(key)) for key in ("offset", "length"))
    if length is not None and length != size:
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} declares {size:,} bytes and its external data {length:,}.",
            remedy="Export the model again.",
        )
    return Slice(location=location, offset=offset or 0, size=size)


def _whole(tensor: Any, key: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} has the external-data {key} {shown(text)}.",
            remedy="It must be a whole number, zero or more: export the model again.",
        )
    return int(text)


def locations(model: Any) -> tuple[str, ...]:
    """The external files that a model names, in order of first use, every one checked to stay inside."""
    found = (slice_of(tensor).location for tensor in all_tensors(model) if is_external(tensor))
    return tuple(dict.fromkeys(found))


def checked_file(folder: Path, location: str) -> Path:
    """The path of an external file: a regular file below `folder`, reached without a link.

    Raises UnreadableModel when it is missing, a link (or reached through one) or anything but a regular file.
    """
    path = folder
    for part in safe_location(location).split("/"):
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError):
            raise UnreadableModel(
                f"The external data file {shown(location)} is missing.",
                remedy="Upload it together with the model, or put it beside the model.",
            ) from None
        if stat.S_ISLNK(mode):
            raise UnreadableModel(f"The external data file {shown(location)} is reached by a link.", remedy=_OUTSIDE)
    if not stat.S_ISREG(mode):
        raise UnreadableModel(f"The external data location {shown(location)} is not a file.", remedy=_OUTSIDE)
    return path


def check_external(model: Any, folder: Path) -> None:
    """Raise UnreadableModel when an external tensor's file is missing, short, or not where it may be."""
    sizes: dict[str, int] = {}
    for tensor in all_tensors(model):
        if is_external(tensor):
            part = slice_of(tensor)
            if part.location not in sizes:
                sizes[part.location] = checked_file(folder, part.location).stat().st_size
            _check_length(tensor, part, sizes[part.location])


def _check_length(tensor: Any, part: Slice, held: int) -> None:
    if part.offset + part.size > held:
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} needs {part.size:,} bytes from byte {part.offset:,} of "
            f"{shown(part.location)}, which has {held:,}.",
            remedy="The data file is cut or belongs to another model: copy it again.",
        )


def read_external(tensors: Iterable[Any], folder: Path) -> None:
    """Put the bytes of checked external tensors into the tensors themselves; each file is opened once."""
    by_file: dict[str, list[tuple[Slice, Any]]] = {}
    for tensor in tensors:
        part = slice_of(tensor)
        by_file.setdefault(part.location, []).append((part, tensor))
    for location, wanted in by_file.items():
        # Unbuffered: a tensor is read in one piece, straight into the bytes that protobuf keeps.
        with checked_file(folder, location).open("rb", buffering=0) as file:
            for part, tensor in wanted:
                file.seek(part.offset)
                tensor.raw_data = _read_exactly(file, part, tensor)
                del tensor.external_data[:]
                tensor.ClearField("data_location")


def _read_exactly(file: RawIOBase, part: Slice, tensor: Any) -> bytes:
    pieces: list[bytes] = []
    missing = part.size
    while missing:
        piece = file.read(min(missing, 1 << 30))
        if not piece:
            _check_length(tensor, part, part.offset + part.size - missing)
            break
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def external_tensors(model: Any) -> Iterator[Any]:
    """The tensors whose data lie in other files."""
    return (tensor for tensor in all_tensors(model) if is_external(tensor))
