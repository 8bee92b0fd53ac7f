"""The gate to CUDA's runtime through cuda-python: every return code is checked, every resource has an owner."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any

import numpy as np

from trt_core.errors import BackendError, DependencyMissing, GpuUnavailable
from trt_core.protocols import Array

PIP_LINE = "pip install cuda-python"
_ABSENT = frozenset({"cudaErrorNoDevice", "cudaErrorInsufficientDriver", "cudaErrorSystemDriverMismatch"})
_GONE = frozenset(
    {
        "cudaErrorDevicesUnavailable",
        "cudaErrorDeviceUninitialized",
        "cudaErrorLaunchFailure",
        "cudaErrorECCUncorrectable",
    }
)


@cache
def runtime() -> Any:
    """The runtime's bindings; cuda-python 12.9 and 13 have them in one place, older ones in another."""
    for path in ("cuda.bindings.runtime", "cuda.cudart"):
        try:
            return import_module(path)
        except ImportError:
            continue
    raise DependencyMissing("cuda-python is not installed.", remedy=f"Install it with: {PIP_LINE}")


def call(name: str, *arguments: Any) -> Any:
    """Call a function of the runtime; its result without the status, None where there is none.

    Raises GpuUnavailable without a GPU or driver, BackendError for every other status.
    """
    status, *results = getattr(runtime(), name)(*arguments)
    check(status, name)
    return results[0] if len(results) == 1 else tuple(results) or None


def check(status: Any, what: str) -> None:
    """Raise for a status other than success."""
    if int(status) == 0:
        return
    word = getattr(status, "name", str(status))
    if word in _ABSENT:
        raise GpuUnavailable(f"There is no usable GPU: {what} gave {word}.", remedy="Check nvidia-smi and the driver.")
    if word == "cudaErrorMemoryAllocation":
        raise BackendError(
            "The GPU's memory is full.", remedy="Close other work, or use a smaller batch.", details=what
        )
    if word in _GONE:
        raise BackendError(
            f"The GPU stopped answering: {what} gave {word}.",
            remedy="Start the job again; if it recurs, look at nvidia-smi and the kernel's log for Xid messages.",
        )
    raise BackendError(f"CUDA failed: {what} gave {word}.", remedy="Start the job again.", details=what)


def free_and_total_bytes() -> tuple[int, int]:
    """The GPU's free and total memory."""
    free, total = call("cudaMemGetInfo")
    return int(free), int(total)


class _Owned:
    """A CUDA resource that is given back once, by `close` or at the end of a `with`."""

    def __init__(self, handle: Any, release: str) -> None:
        self.handle = handle
        self._release: Callable[[], None] | None = lambda: call(release, handle)

    def close(self) -> None:
        """Give it back."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Stream(_Owned):
    """A stream that does not wait for the default one."""

    def __init__(self) -> None:
        super().__init__(call("cudaStreamCreateWithFlags", runtime().cudaStreamNonBlocking), "cudaStreamDestroy")
        self.number = int(self.handle)

    def synchronize(self) -> None:
        """Wait until everything on it is done."""
        call("cudaStreamSynchronize", self.handle)


class Event(_Owned):
    """A point in time on a stream."""

    def __init__(self) -> None:
        super().__init__(call("cudaEventCreate"), "cudaEventDestroy")

    def record(self, stream: Stream) -> None:
        """Put it behind what is on the stream."""
        call("cudaEventRecord", self.handle, stream.handle)


def elapsed_ms(start: Event, end: Event) -> float:
    """Time between two events that have passed."""
    return float(call("cudaEventElapsedTime", start.handle, end.handle))


class DeviceBuffer(_Owned):
    """Memory on the GPU, of at least one byte."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = max(size_bytes, 1)
        super().__init__(int(call("cudaMalloc", self.size_bytes)), "cudaFree")
        self.address = int(self.handle)


class PinnedBuffer(_Owned):
    """Page-locked memory of the host, of at least one byte."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = max(size_bytes, 1)
        super().__init__(int(call("cudaMallocHost", self.size_bytes)), "cudaFreeHost")
        self.address = int(self.handle)
        owned = (ctypes.c_uint8 * self.size_bytes).from_address(self.address)
        self._bytes: Array = np.ctypeslib.as_array(owned)

    def view(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """The first bytes as an array; it must not outlive the buffer."""
        count = int(np.prod(shape, dtype=np.int64))
        return self._bytes[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)


def copy_to_device(target: DeviceBuffer, source: PinnedBuffer, size_bytes: int, stream: Stream) -> None:
    """Copy on a stream."""
    kind = runtime().cudaMemcpyKind.cudaMemcpyHostToDevice
    call("cudaMemcpyAsync", target.address, source.address, size_bytes, kind, stream.handle)


def copy_to_host(target: PinnedBuffer, source: DeviceBuffer, size_bytes: int, stream: Stream) -> None:
    """Copy on a stream."""
    kind = runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
    call("cudaMemcpyAsync", target.address, source.address, size_bytes, kind, stream.handle)


class Graph(_Owned):
    """What was enqueued on a stream, captured once and launched as a whole."""

    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        """Capture what `enqueue` puts on the stream; BackendError when something in it cannot be captured."""
        self._stream = stream
        call("cudaStreamBeginCapture", stream.handle, runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            enqueue()
        except BaseException:
            _end_failed_capture(stream)
            raise
        captured = call("cudaStreamEndCapture", stream.handle)
        try:
            executable = call("cudaGraphInstantiate", captured, 0)
        finally:
            call("cudaGraphDestroy", captured)
        super().__init__(executable, "cudaGraphExecDestroy")
        call("cudaGraphUpload", executable, stream.handle)

    def launch(self) -> None:
        """Put it on its stream."""
        call("cudaGraphLaunch", self.handle, self._stream.handle)


def _end_failed_capture(stream: Stream) -> None:
    """Take a stream out of a capture that failed: the error of the capture is what counts."""
    status, captured = runtime().cudaStreamEndCapture(stream.handle)
    if int(status) == 0 and captured is not None:
        runtime().cudaGraphDestroy(captured)
    runtime().cudaGetLastError()
