"""Serialized engines: looked at before they are loaded, loaded once, refused with the reason."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from trt_core.backends.causes import cause_of
from trt_core.backends.native_log import NativeLog, listening
from trt_core.backends.tensorrt.native import TITLE, library, logger
from trt_core.errors import BackendError, UnreadableModel, UnsupportedRequest

_MAGIC = {b"ftrt": TITLE, b"vtrt": "TensorRT-RTX", b"ptrt": "TensorRT-RTX"}
_HEADER_BYTES = 28


def engine_version(head: bytes) -> tuple[int, ...]:
    """The version that wrote an engine: four numbers out of its header, empty where the header does not say.

    UnreadableModel for bytes that are no engine of TensorRT.
    """
    maker = _MAGIC.get(head[:4])
    if maker != TITLE:
        what = f"an engine of {maker}" if maker else "no TensorRT engine"
        raise UnreadableModel(f"The file is {what}.", remedy="Choose a file that TensorRT built.")
    if len(head) < _HEADER_BYTES:
        raise UnreadableModel(f"The engine has only {len(head)} bytes.", remedy="Build it again, or copy it in full.")
    return struct.unpack("4B", head[24:28])


def check_engine(path: Path, version: str) -> None:
    """Refuse, before native code reads it, a file that is no engine, or one of another version of TensorRT."""
    with path.open("rb") as file:
        wrote = engine_version(file.read(_HEADER_BYTES))
    own = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if any(wrote) and wrote[:3] != own:
        raise UnsupportedRequest(
            f"The engine was built by TensorRT {'.'.join(map(str, wrote[:3]))}; this is {version}.",
            remedy="Build it again with this version.",
        )


def load_engine(path: Path) -> Any:
    """The engine of a file that this program built; its runtime lives as long as it does.

    Raises UnreadableModel, UnsupportedRequest for another version, and BackendError with TensorRT's own reason for a
    damaged file or another GPU. Engines hold native code: never hand in an upload.
    """
    trt = library()
    check_engine(path, trt.__version__)
    return deserialized(path.read_bytes(), path.name)


def deserialized(data: Any, name: str) -> Any:
    """The engine of serialized bytes; see `load_engine`."""
    trt = library()
    with listening(NativeLog()) as log:
        runtime = trt.Runtime(logger())
        # A version-compatible engine brings a runtime of its own along; what comes here we have built ourselves.
        runtime.engine_host_code_allowed = True
        engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        cause = cause_of(log.errors())
        raise BackendError(f"{name} cannot be loaded. {cause.sentence}", remedy=cause.remedy, details=log.tail())
    return engine
