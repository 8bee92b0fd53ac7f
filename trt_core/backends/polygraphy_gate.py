"""The gate to Polygraphy: its process-wide settings, its messages and its exceptions.

What is taken from it, and what is not and why, is decided in docs/adr/0011-what-polygraphy-builds.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from trt_core.backends.causes import one_sentence
from trt_core.backends.native_log import NativeLog
from trt_core.errors import BackendError, DependencyMissing

_LOGGER = "Polygraphy"  # the name under which it speaks to Python's logging


@cache
def polygraphy() -> Any:
    """Polygraphy's part for TensorRT; DependencyMissing where it is not installed.

    Two of its settings come from the environment and are fixed here before that part reads them: it shall install
    nothing, and mean TensorRT even where somebody's shell says TensorRT-RTX.
    """
    try:
        settings = import_module("polygraphy.config")
        settings.AUTOINSTALL_DEPS = settings.USE_TENSORRT_RTX = False  # type: ignore[attr-defined]
        return import_module("polygraphy.backend.trt")
    except ImportError as error:
        raise DependencyMissing(
            f"Polygraphy is not installed ({error}).", remedy="Install it with: pip install -r requirements.txt"
        ) from error


def polygraphy_exception() -> type[Exception]:
    """What Polygraphy raises on purpose."""
    from polygraphy.exception import PolygraphyException

    return PolygraphyException  # type: ignore[no-any-return, unused-ignore]


class _IntoLog(logging.Handler):
    def __init__(self, log: NativeLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        # A severity of its own: causes are looked for in the library's words only.
        self._log.add("POLYGRAPHY", record.getMessage())


@contextmanager
def polygraphy_calls(what: str, log: NativeLog) -> Iterator[None]:
    """Put Polygraphy's warnings into a log, and turn what it raises into BackendError.

    It would print them. Its logger belongs to the process, so this belongs inside `native_calls`: one thread at a time.
    """
    polygraphy()
    from polygraphy.logger import G_LOGGER

    handler, words = _IntoLog(log), logging.getLogger(_LOGGER)
    before = G_LOGGER.use_python_logging_system, G_LOGGER.colors, words.propagate
    words.addHandler(handler)
    words.propagate = False
    G_LOGGER.use_python_logging_system, G_LOGGER.colors = True, False  # colours make it print that it has none
    try:
        with G_LOGGER.verbosity(G_LOGGER.WARNING):
            yield
    except polygraphy_exception() as error:
        raise BackendError(
            f"Polygraphy could not {what}: {one_sentence(str(error))}",
            remedy="See the job's log for its own words.",
            details=log.tail(),
        ) from error
    finally:
        G_LOGGER.use_python_logging_system, G_LOGGER.colors, words.propagate = before
        words.removeHandler(handler)
