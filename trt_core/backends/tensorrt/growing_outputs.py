"""Outputs whose size depends on the data: TensorRT asks for memory when it knows."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from trt_core.backends.tensorrt.cuda import DeviceBuffer
from trt_core.domain.profiles import Shape
from trt_core.errors import TrtCoreError


class GrowingOutput(Protocol):
    """Memory of one output: as large as the largest result so far."""

    shape: Shape
    buffer: DeviceBuffer | None

    def close(self) -> None:
        """Give the memory back."""


def growing_output(trt: Any) -> GrowingOutput:
    """An output allocator for one output."""
    made: GrowingOutput = _allocator_class(trt)()
    return made


@cache
def _allocator_class(trt: Any) -> Any:
    class Allocator(trt.IOutputAllocator):  # type: ignore[misc,name-defined,unused-ignore]
        """Address 0 tells the library that there is no memory: an exception would be lost in its callback."""

        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.shape: Shape = ()
            self.buffer: DeviceBuffer | None = None

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:  # noqa: ARG002
            try:
                if self.buffer is None or self.buffer.size_bytes < size:
                    self.close()
                    self.buffer = DeviceBuffer(size)
            except TrtCoreError:
                return 0
            return self.buffer.address

        def reallocate_output_async(
            self,
            tensor_name: str,
            memory: int,
            size: int,
            alignment: int,
            stream: int,  # noqa: ARG002
        ) -> int:
            return self.reallocate_output(tensor_name, memory, size, alignment)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:  # noqa: ARG002
            self.shape = tuple(int(size) for size in shape)

        def close(self) -> None:
            buffer, self.buffer = self.buffer, None
            if buffer is not None:
                buffer.close()

    return Allocator
