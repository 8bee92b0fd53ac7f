"""The gate to TensorRT: its import, its version, its logger and its calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from trt_core.backends import native_log
from trt_core.backends.native_log import NativeLog, logger_of
from trt_core.errors import DependencyMissing, NotFound, UnsupportedRequest

BACKEND = "tensorrt"
TITLE = "TensorRT"
PIP_LINE = "pip install -r requirements-gpu.txt"
OLDEST = (8, 6)


@cache
def library() -> Any:
    """The bindings of TensorRT, with its own plugins registered.

    DependencyMissing where the package is not installed or does not load, UnsupportedRequest for one before 8.6.
    """
    try:
        trt = import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise DependencyMissing(
            f"TensorRT is not installed ({error}).", remedy=f"Install it with: {PIP_LINE}"
        ) from error
    if version_of(trt) < OLDEST:
        raise UnsupportedRequest(f"TensorRT {trt.__version__} is too old.", remedy="Install TensorRT 8.6 or newer.")
    trt.init_libnvinfer_plugins(logger_of(trt), "")
    return trt


def version_of(trt: Any) -> tuple[int, int]:
    """Major and minor version of a loaded library."""
    major, minor = trt.__version__.split(".")[:2]
    return int(major), int(minor)


def logger() -> Any:
    """The one logger of this process."""
    return logger_of(library())


def native_calls(what: str) -> AbstractContextManager[NativeLog]:
    """Listen to the library during some of its work; see `native_log.native_calls`."""
    return native_log.native_calls(what, title=TITLE)


_LOADED: set[Path] = set()


def load_plugins(paths: Sequence[Path]) -> None:
    """Load plugin libraries that the operator named; each once a process.

    They are native code: only paths out of the configuration come here, never an upload.
    """
    registry = None
    for path in paths:
        if path in _LOADED:
            continue
        if not path.is_file():
            raise NotFound(f"There is no plugin library {path}.", remedy="Correct ENGINESCOPE_TENSORRT_PLUGINS.")
        registry = registry or library().get_plugin_registry()
        if registry.load_library(str(path)) is None:
            raise DependencyMissing(
                f"TensorRT does not load the plugin library {path.name}.",
                remedy=f"Build it against TensorRT {library().__version__}.",
            )
        _LOADED.add(path)
