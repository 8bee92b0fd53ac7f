"""The gate to TensorRT-RTX: its import, its logger and its calls."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from typing import Any

from trt_core.backends import native_log
from trt_core.backends.native_log import NativeLog, logger_of
from trt_core.errors import DependencyMissing

TITLE = "TensorRT-RTX"
PIP_LINE = "pip install -r requirements.txt"
_WHEELS_FOR = ("Linux", "x86_64")


@cache
def library() -> Any:
    """The bindings of TensorRT-RTX; DependencyMissing where the wheels are not installed or do not load."""
    try:
        # The libraries' package puts them where the bindings find them: it must come first.
        import_module("tensorrt_rtx_libs")
        return import_module("tensorrt_rtx_bindings")
    except ImportError as error:
        raise DependencyMissing(f"TensorRT-RTX is not installed ({error}).", remedy=install_remedy()) from error


def install_remedy() -> str:
    """What to do where it is missing: the line that installs it, or where else to build when there is no wheel."""
    here = (platform.system(), platform.machine())
    if here == _WHEELS_FOR:
        return f"Install it with: {PIP_LINE}"
    return (
        f"It has no wheel for {' '.join(here)}: parse and build on {' '.join(_WHEELS_FOR)}. "
        "Variants, latency and divergence by ONNX Runtime work here."
    )


def logger() -> Any:
    """The one logger of this process."""
    return logger_of(library())


def native_calls(what: str) -> AbstractContextManager[NativeLog]:
    """Listen to the library during some of its work; see `native_log.native_calls`."""
    return native_log.native_calls(what, title=TITLE)
