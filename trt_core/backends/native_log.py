"""The gate to a native library of the TensorRT family: its log, its standard output and its errors."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import RLock
from typing import Any

from trt_core.backends.causes import one_sentence, without_noise
from trt_core.errors import BackendError

TAIL_LINES = 60
_ERRORS = frozenset({"ERROR", "INTERNAL_ERROR"})
_FILE_LINE = "Input filename:   "


@dataclass(kw_only=True, eq=False)  # told apart by identity: two empty logs are not one
class NativeLog:
    """What the library said during one piece of work: (severity, text) in order. STDOUT is C's standard output.

    `on_record` hears every record when it is made, on the library's own thread; `on_error` those that are errors, which
    may be the last thing that the process says.
    """

    records: list[tuple[str, str]] = field(default_factory=list)
    on_record: Callable[[str], None] | None = None
    on_error: Callable[[str], None] | None = None

    def add(self, severity: str, text: str) -> None:
        """Keep a record, without the folder of the file that was parsed."""
        if text.startswith(_FILE_LINE):
            text = _FILE_LINE + os.path.basename(text)  # noqa: PTH119 - text of the log, not a path of ours
        self.records.append((severity, text))
        if self.on_record is not None:
            self.on_record(text)
        if self.on_error is not None and severity in _ERRORS:
            self.on_error(f"[{severity}] {text}")

    @property
    def text(self) -> str:
        """All records, one after the other, each after its severity."""
        return "\n".join(f"[{severity}] {text}" for severity, text in self.records)

    def errors(self) -> list[str]:
        """The error records, cleaned of what a machine without a driver adds, in order."""
        kept = (without_noise(text) for severity, text in self.records if severity in _ERRORS)
        return [text for text in kept if text]

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines that are not noise: what somebody who looks for the cause reads."""
        kept = [f"[{severity}] {text}" for severity, text in self.records if without_noise(text)]
        return "\n".join("\n".join(kept).split("\n")[-lines:])  # not splitlines: metadata holds 0x1E


_SINKS: list[NativeLog] = []
_ONE_AT_A_TIME = RLock()  # file descriptor 1 belongs to the whole process


@cache
def logger_of(trt: Any) -> Any:
    """The one logger of a library in this process: it outlives every builder and hands records to all that listen."""

    class FanOut(trt.ILogger):  # type: ignore[misc,name-defined,unused-ignore]
        """Takes every severity: the record of the engine's layers is a VERBOSE one."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            for sink in tuple(_SINKS):
                sink.add(severity.name, msg)

    return FanOut()


@contextmanager
def native_calls(what: str, *, title: str) -> Iterator[NativeLog]:
    """Listen to the library, keep its standard output off ours, and turn what it raises into BackendError.

    `what` names the work in the message: "parse model.onnx"; `title` is the library's name. Whatever the process writes
    to standard output meanwhile, callbacks included, ends up in the log. One thread at a time: others wait.
    """
    log = NativeLog()
    try:
        with _ONE_AT_A_TIME, listening(log), _standard_output_into(log):
            yield log
    except (RuntimeError, TypeError) as error:  # a constructor that fails raises TypeError
        raise BackendError(
            f"{title} could not {what}: {one_sentence(str(error))}",
            remedy="See the job's log for the library's own words.",
            details=log.tail(),
        ) from error


@contextmanager
def listening(log: NativeLog) -> Iterator[NativeLog]:
    """Let a log hear the library, without touching standard output."""
    _SINKS.append(log)
    try:
        yield log
    finally:
        _SINKS.remove(log)


@contextmanager
def _standard_output_into(log: NativeLog) -> Iterator[None]:
    """Send file descriptor 1 to a file: the parser prints to C's standard output, which may be a command's result."""
    _flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 1)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 1)
            os.close(kept)
            caught.seek(0)
            text = caught.read().decode(errors="replace").strip()
            if text:
                log.add("STDOUT", text)


def _flush() -> None:
    """Empty the buffers of Python's and C's standard output: both would end up in the wrong place."""
    if sys.stdout is not None:
        sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)
