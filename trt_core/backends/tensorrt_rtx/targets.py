"""The GPU architectures that the installed TensorRT-RTX compiles for."""

from __future__ import annotations

import re
from typing import Any

from trt_core.backends.names import lookup
from trt_core.domain.engine import Sm
from trt_core.errors import UnsupportedRequest

BACKEND = "rtx"
DEFAULT_TARGET = Sm(major=8, minor=6)
_SM_NAME = re.compile(r"^SM(\d{2,3})$")
_DATA_CENTRE = {(9, 0): "H100 or H200", (10, 0): "B200"}


def targets_of(trt: Any) -> tuple[Sm, ...]:
    """The members of the library's own enumeration, oldest first."""
    numbers = [_SM_NAME.match(name) for name in lookup(trt, "ComputeCapability").__members__]
    return tuple(sorted(Sm(major=int(found[1]) // 10, minor=int(found[1]) % 10) for found in numbers if found))


def resolve_target(asked: Sm | None, trt: Any) -> Sm:
    """The target to compile for, SM 8.6 when none is named; UnsupportedRequest for one that the library lacks."""
    target = asked or DEFAULT_TARGET
    check_target(target, targets_of(trt))
    return target


def check_target(target: Sm, known: tuple[Sm, ...]) -> None:
    """Refuse a target that is not among the library's, and say where it can be built."""
    if target not in known:
        gpu = _DATA_CENTRE.get((target.major, target.minor))
        elsewhere = f" For {gpu} use TensorRT on that GPU." if gpu else ""
        raise UnsupportedRequest(
            f"{target} is not among TensorRT-RTX's targets.",
            remedy=f"Choose {', '.join(str(item) for item in known)}.{elsewhere}",
        )


def enum_of_target(target: Sm, trt: Any) -> Any:
    """The library's value for a target that it has."""
    return lookup(trt, "ComputeCapability").__members__[f"SM{target.number}"]


def stamp_of(version: str, target: Sm) -> str:
    """What every figure of such an engine is labelled with."""
    return (
        f"TensorRT-RTX {'.'.join(version.split('.')[:3])} ahead-of-time plan for {target}; "
        "TensorRT's own engine can differ"
    )
