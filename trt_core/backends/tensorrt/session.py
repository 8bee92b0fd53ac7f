"""An engine that is loaded and run: pinned memory, a stream of its own, any profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trt_core.backends.causes import cause_of
from trt_core.backends.native_log import NativeLog, listening
from trt_core.backends.tensorrt.bindings import asked_of, border_of, fitting_profile, numpy_dtype, prepared
from trt_core.backends.tensorrt.cuda import DeviceBuffer, PinnedBuffer, Stream, copy_to_device, copy_to_host
from trt_core.backends.tensorrt.growing_outputs import GrowingOutput, growing_output
from trt_core.backends.tensorrt.native import library
from trt_core.domain.profiles import Shape
from trt_core.errors import BackendError, NotFound
from trt_core.protocols import Array, Feeds


class TrtSession:
    """One execution context of an engine, with its stream and buffers. Not for several threads at once.

    Several sessions of one engine run side by side, each on its own stream. `close` gives all memory back.
    """

    def __init__(self, engine: Any, *, device: str, version: str) -> None:
        trt = library()
        self.engine = engine
        self.device = device
        self.version = version
        self.stream = Stream()
        with listening(NativeLog()) as log:
            self.context = engine.create_execution_context()
        if self.context is None:
            self.stream.close()
            cause = cause_of(log.errors())
            raise BackendError(
                f"TensorRT made no execution context: {cause.sentence}", remedy=cause.remedy, details=log.tail()
            )
        _quiet(trt, self.context)
        self.border = border_of(engine, self.context, trt)
        self.inputs = self.border.inputs
        self.outputs = tuple(spec.name for spec in self.border.outputs)
        self._profile = 0
        self._device: dict[str, DeviceBuffer] = {}
        self._pinned: dict[str, PinnedBuffer] = {}
        self._growing: dict[str, GrowingOutput] = {}
        self._shapes: dict[str, Shape] = {}
        self._unknown: dict[str, tuple[bool, ...]] = {}  # outputs: which dimensions depend on the data

    # Running -----------------------------------------------------------------------------------------------------

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run once; arrays of their own, in the order asked for.

        Raises InvalidData and InvalidProfile before anything reaches the GPU, NotFound for an unknown output.
        """
        wanted = list(self.outputs if outputs is None else outputs)
        if unknown := sorted(set(wanted) - set(self.outputs)):
            raise NotFound(f"The engine has no output {unknown[0]!r}.", remedy=f"Ask for {', '.join(self.outputs)}.")
        self.bind(feeds)
        self.upload()
        self.enqueue()
        self.download()
        self.stream.synchronize()
        return [self._read(name) for name in wanted]

    def bind(self, feeds: Feeds) -> None:
        """Choose the profile, set shapes and addresses, and put the arrays into pinned memory."""
        arrays = prepared(feeds, self.inputs)
        asked = {name: asked_of(name, item, self.border) for name, item in arrays.items()}
        profile = fitting_profile(asked, self.border.profiles)
        with listening(NativeLog()) as log:
            if profile != self._profile:
                self._sure(self.context.set_optimization_profile_async(profile, self.stream.number), "profile", log)
                self._profile = profile
                self.stream.synchronize()
            for name, array in arrays.items():
                self._bind_input(name, array, log)
            for spec in self.border.outputs:
                self._bind_output(spec.name, numpy_dtype(spec), log)

    def _bind_input(self, name: str, array: Array, log: NativeLog) -> None:
        pinned = self._grown(self._pinned, name, array.nbytes, PinnedBuffer)
        pinned.view(array.shape, array.dtype)[...] = array
        self._shapes[name] = array.shape
        if name in self.border.host:
            self._sure(self.context.set_tensor_address(name, pinned.address), f"values of {name!r}", log)
            return
        if any(name in ranges for ranges in self.border.profiles):  # a fixed shape is not set
            self._sure(self.context.set_input_shape(name, array.shape), f"shape {array.shape} of {name!r}", log)
        buffer = self._grown(self._device, name, array.nbytes, DeviceBuffer)
        self._sure(self.context.set_tensor_address(name, buffer.address), f"address of {name!r}", log)

    def _bind_output(self, name: str, dtype: np.dtype[Any], log: NativeLog) -> None:
        shape = tuple(self.context.get_tensor_shape(name))
        # Sizes that depend on the data are open at first; after a run the library answers with the last result's.
        unknown = self._unknown.setdefault(name, tuple(size < 0 for size in shape))
        if any(unknown):
            if name not in self._growing:
                self._growing[name] = growing_output(library())
            self._sure(self.context.set_output_allocator(name, self._growing[name]), f"allocator of {name!r}", log)
            # TensorRT says nothing of a result without elements: it must not keep the last one's shape.
            self._growing[name].shape = tuple(
                0 if open_ended else size for open_ended, size in zip(unknown, shape, strict=True)
            )
            self._shapes.pop(name, None)
            return
        self._shapes[name] = shape
        size_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        buffer = self._grown(self._device, name, size_bytes, DeviceBuffer)
        self._grown(self._pinned, name, size_bytes, PinnedBuffer)
        self._sure(self.context.set_tensor_address(name, buffer.address), f"address of {name!r}", log)

    def upload(self) -> None:
        """Copy the bound inputs to the GPU, on the stream."""
        for spec in self.inputs:
            if spec.name not in self.border.host:
                size_bytes = self._bytes(spec.name, numpy_dtype(spec))
                copy_to_device(self._device[spec.name], self._pinned[spec.name], size_bytes, self.stream)

    def enqueue(self) -> None:
        """Put one inference on the stream."""
        if not self.context.execute_async_v3(self.stream.number):
            raise BackendError("TensorRT refused to run the engine.", remedy="Look at the job's log.")

    def download(self) -> None:
        """Copy outputs to pinned memory, on the stream; those whose size depends on the data wait for the result."""
        if self._growing:
            self.stream.synchronize()
        for spec in self.border.outputs:
            dtype = numpy_dtype(spec)
            growing = self._growing.get(spec.name)
            if growing is not None and spec.name not in self._shapes:
                size_bytes = int(np.prod(growing.shape, dtype=np.int64)) * dtype.itemsize
                pinned = self._grown(self._pinned, spec.name, size_bytes, PinnedBuffer)
                if growing.buffer is not None and size_bytes:
                    copy_to_host(pinned, growing.buffer, size_bytes, self.stream)
                continue
            size_bytes = self._bytes(spec.name, dtype)
            copy_to_host(self._pinned[spec.name], self._device[spec.name], size_bytes, self.stream)

    def _read(self, name: str) -> Array:
        spec = next(item for item in self.border.outputs if item.name == name)
        shape = self._shapes.get(name)
        shape = self._growing[name].shape if shape is None else shape
        return self._pinned[name].view(shape, numpy_dtype(spec)).copy()

    def _bytes(self, name: str, dtype: np.dtype[Any]) -> int:
        return int(np.prod(self._shapes[name], dtype=np.int64)) * dtype.itemsize

    @property
    def has_growing_outputs(self) -> bool:
        """True when the size of an output depends on the data, so that nothing can be captured into a CUDA graph."""
        return any(spec.name not in self._shapes for spec in self.border.outputs)

    # Memory ------------------------------------------------------------------------------------------------------

    def _grown(self, held: dict[str, Any], name: str, size_bytes: int, kind: Callable[[int], Any]) -> Any:
        if name not in held or held[name].size_bytes < size_bytes:
            if name in held:
                held.pop(name).close()
            held[name] = kind(size_bytes)
        return held[name]

    def _sure(self, done: bool, what: str, log: NativeLog) -> None:
        if not done:
            cause = cause_of(log.errors())
            raise BackendError(f"TensorRT refused the {what}: {cause.sentence}", remedy=cause.remedy)

    def close(self) -> None:
        """Give back the context, the stream and all memory; the session is of no use afterwards."""
        self.context = None
        for close in [held.close for group in (self._device, self._pinned, self._growing) for held in group.values()]:
            close()
        self._device, self._pinned, self._growing = {}, {}, {}
        self.engine = None
        self.stream.close()


def _quiet(trt: Any, context: Any) -> None:
    """Detailed engines annotate every layer for profilers at run time, which costs time at each enqueue."""
    context.nvtx_verbosity = trt.ProfilingVerbosity.NONE
