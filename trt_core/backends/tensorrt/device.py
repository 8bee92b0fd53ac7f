"""The GPU of this machine, as CUDA describes it."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

from trt_core.backends.tensorrt.cuda import call
from trt_core.domain.engine import Sm


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU. `driver` is the newest CUDA version that the driver can serve, `bus_id` names it to NVML."""

    name: str
    sm: Sm
    driver: str
    memory_bytes: int
    bus_id: str = ""

    @property
    def slug(self) -> str:
        """A part of a file name: `nvidia-h200-sm90-cuda13.0`."""
        name = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{name}-sm{self.sm.number}-cuda{self.driver}"


def this_gpu() -> Gpu:
    """The first GPU that CUDA shows; GpuUnavailable where there is none."""
    call("cudaSetDevice", 0)
    properties = call("cudaGetDeviceProperties", 0)
    version = int(call("cudaDriverGetVersion"))
    name = properties.name
    return Gpu(
        name=(name.decode() if isinstance(name, bytes) else str(name)).strip("\x00 "),
        sm=Sm(major=int(properties.major), minor=int(properties.minor)),
        driver=f"{version // 1000}.{version % 1000 // 10}",
        memory_bytes=int(properties.totalGlobalMem),
        bus_id=_text(call("cudaDeviceGetPCIBusId", 32, 0)),
    )


def _text(value: object) -> str:
    return value.decode().strip("\x00 ") if isinstance(value, bytes) else str(value)


def real_library(soname: str, version_function: str) -> bool:
    """True when a library of CUDA is there and says its version.

    A stand-in that only satisfies the loader answers with a small number, or lacks the function.
    """
    try:
        function = getattr(ctypes.CDLL(soname), version_function)
    except (OSError, AttributeError):
        return False
    function.restype = ctypes.c_size_t
    return int(function()) >= 1000
