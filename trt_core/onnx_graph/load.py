"""The one gate through which an ONNX file enters: parsed once, distrusted until checked."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trt_core.errors import UnreadableModel
from trt_core.hashing import file_sha256
from trt_core.onnx_graph.external import check_external, external_tensors, read_external, slice_of
from trt_core.onnx_graph.structure import check_structure
from trt_core.onnx_graph.tensors import all_tensors, check_tensor, is_external, shown
from trt_core.onnx_graph.text import check_text

if TYPE_CHECKING:
    import onnx

MAX_PROTOBUF_BYTES = 2**31 - 1  # protobuf's own limit for one message
_MAGIC = {
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint is one, too)",
    b"\x80\x02": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive",
    b"ftrt": "a TensorRT engine",
}


def load_model(path: Path, *, weights: bool = True, shown_as: str = "") -> onnx.ModelProto:
    """Parse an ONNX file; external data are read after every location and length was checked.

    With `weights=False` the initializers that lie in other files stay there (checked all the same); `shown_as` is the
    name that the user knows the file by. Raises
    UnreadableModel for an empty, truncated or foreign file, one above protobuf's 2 GiB, and for external data that are
    missing, short, reached by a link or outside the model's folder.
    """
    return with_external(parse_model(path, shown_as=shown_as), path.parent, weights=weights)


def with_external(model: onnx.ModelProto, folder: Path, *, weights: bool) -> onnx.ModelProto:
    """The parsed model with its external data checked, and read where they are wanted; raises as `load_model`."""
    if any(is_external(tensor) for tensor in all_tensors(model)):
        check_external(model, folder)
        read_external(_to_read(model, weights=weights), folder)
    return model


def _to_read(model: Any, *, weights: bool) -> list[Any]:
    if weights:
        return list(external_tensors(model))
    top = sum(1 for _ in model.graph.initializer)
    return [tensor for position, tensor in enumerate(all_tensors(model)) if position >= top and is_external(tensor)]


def parse_model(path: Path, *, shown_as: str = "") -> onnx.ModelProto:
    """Parse an ONNX file and open nothing else; external tensors stay references, and unchecked."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    name = shown(shown_as or path.name)
    try:
        size = path.stat().st_size
        if size == 0:
            raise UnreadableModel(f"{name} is empty.", remedy="Upload the file again.")
        if size > MAX_PROTOBUF_BYTES:
            raise UnreadableModel(
                f"{name} has {size:,} bytes; an ONNX file ends at 2 GiB.",
                remedy="Save the weights as external data beside the model.",
            )
        model = onnx.ModelProto()
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            head = mapped[:4]
            with memoryview(mapped) as view:
                model.ParseFromString(view)
    except DecodeError:
        raise UnreadableModel(_foreign(name, head), remedy="Upload a complete .onnx file.") from None
    except OSError as error:
        raise UnreadableModel(f"{name} cannot be read: {error.strerror}.", remedy="Check the file.") from error
    if not model.HasField("graph") or not model.ir_version:
        raise UnreadableModel(_foreign(name, head), remedy="Upload a complete .onnx file.")
    return model


def _foreign(name: str, head: bytes) -> str:
    known = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), "")
    return f"{name} is {known}, no ONNX model." if known else f"{name} is no ONNX model, or was cut."


def check_model(model: onnx.ModelProto) -> None:
    """Refuse a model that nothing downstream could work with.

    Raises UnreadableModel: names that are not UTF-8, no nodes, a cycle, a wrong or missing opset, tensors that hold
    other than what they declare, functions that call themselves, and whatever the ONNX checker finds. Ops that no ONNX
    release defines are let through: they may be plugins.
    """
    check_text(model)
    for tensor in all_tensors(model):
        if is_external(tensor):
            slice_of(tensor)
        else:
            check_tensor(tensor)
    check_structure(model)


def model_sha256(folder: Path, files: Sequence[Path]) -> str:
    """The identity of a model: `files` are relative to `folder`, the .onnx file first.

    A single file has its own SHA-256, as `sha256sum` prints it. With external data it is the SHA-256 of lines of
    hash and name: the model's hash, then every data file by name.
    """
    hashes = {file.as_posix(): file_sha256(folder / file) for file in files}
    return joined_sha256(hashes)


def joined_sha256(hashes: dict[str, str]) -> str:
    """The identity made of hashes by relative name; the first entry is the .onnx file, whose name does not count."""
    (_, first), *rest = hashes.items()
    if not rest:
        return first
    lines = [f"{first}\n", *(f"{digest} {name}\n" for name, digest in sorted(rest))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
