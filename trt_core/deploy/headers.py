"""The first bytes of a serialized engine. Reading them runs nothing of the engine."""

from __future__ import annotations

import struct
from pathlib import Path

from trt_core.domain.engine import Sm
from trt_core.domain.passport import PlanHeader
from trt_core.errors import InvalidInput

HEADER_BYTES = 64
_TENSORRT = b"ftrt"
_RTX = b"vtrt"
# Bits of the target mask in a TensorRT-RTX 1.7 plan, decoded from plans of known targets; not documented.
_RTX_TARGETS = (
    Sm(major=7, minor=5),
    *(Sm(major=8, minor=m) for m in (0, 6, 9)),
    *(Sm(major=12, minor=m) for m in (0, 1)),
)
_RTX_KNOWN = ((1, 7),)


def read_header(path: Path) -> PlanHeader:
    """The header of a file; InvalidInput when it is no engine that we can tell."""
    with path.open("rb") as file:
        return header_of(file.read(HEADER_BYTES))


def header_of(start: bytes) -> PlanHeader:
    """The header in the first 64 bytes of a plan.

    TensorRT 8.6 and later: `ftrt`, bytes 24 to 27 are major, minor, patch and build, which is what
    `trtexec --getPlanVersionOnly` prints. TensorRT-RTX 1.7: `vtrt`, the file's size at 16, the version at 24, the
    mask of architectures at 32. Raises InvalidInput for anything else.
    """
    if len(start) < HEADER_BYTES or start[:4] not in (_TENSORRT, _RTX):
        raise InvalidInput(
            "This is not a TensorRT engine: it does not begin as one.",
            remedy="Give the file that trtexec --saveEngine or `build -o` wrote; engines before 8.6 have no header.",
        )
    version = tuple(start[24:28])
    text = ".".join(str(part) for part in version)
    if start[:4] == _TENSORRT:
        if version == (0, 0, 0, 0):
            raise InvalidInput("The engine's header holds no version.", remedy="Build it with TensorRT 8.6 or later.")
        return PlanHeader(runtime="tensorrt", version=text)
    if version[:2] not in _RTX_KNOWN:
        return PlanHeader(runtime="rtx", version=text)
    (size,) = struct.unpack_from("<Q", start, 16)
    (mask,) = struct.unpack_from("<Q", start, 32)
    targets = tuple(sm for bit, sm in enumerate(_RTX_TARGETS) if mask >> bit & 1)
    return PlanHeader(runtime="rtx", version=text, targets=targets, declared_bytes=size)
