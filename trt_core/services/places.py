"""Where a job runs, and with whom: a measurement has its device to itself."""

from __future__ import annotations

from trt_core.domain.jobs import Use
from trt_core.protocols import Compiler

CPU = "cpu"
GPU = "gpu:0"


def building_place(*compilers: Compiler) -> tuple[str, Use]:
    """Device and use of a job in which these build: the GPU alone where one times tactics on it, else the processor."""
    on_gpu = any(compiler.default_target is None for compiler in compilers)
    return (GPU, Use.EXCLUSIVE) if on_gpu else (CPU, Use.SHARED)
