"""Debug tensors of TensorRT 10 and later: what the engine hands to a listener while it runs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.bindings import numpy_dtype, numpy_name
from trt_core.backends.tensorrt.cuda import call, runtime
from trt_core.domain.tensors import TensorSpec
from trt_core.protocols import Array


class Catch(Protocol):
    """What a listener caught in the last run; `failed` is what went wrong in a callback."""

    arrays: dict[str, Array]
    failed: Exception | None


def debug_listener(trt: Any) -> Any:
    """A listener that copies every debug tensor to the host, with the attributes of a `Catch`."""
    base = lookup(trt, "IDebugListener")

    class Listener(base):  # type: ignore[misc,valid-type,unused-ignore]
        def __init__(self) -> None:
            base.__init__(self)
            self.arrays: dict[str, Array] = {}
            self.failed: Exception | None = None

        def process_debug_tensor(  # noqa: PLR0917 - the library calls it so
            self,
            addr: Any,
            location: Any,
            type: Any,  # noqa: A002 - the library's name
            shape: Any,
            name: str,
            stream: Any,
        ) -> bool:
            try:
                on_host = location == lookup(trt, "TensorLocation.HOST")
                self.arrays[name] = copied(addr, numpy_name(type), tuple(shape), stream, on_host=on_host)
            except Exception as error:  # noqa: BLE001 - the library would print it and go on
                self.failed = error
            return True

    return Listener()


def copied(address: Any, dtype: str, shape: Sequence[int], stream: Any, *, on_host: bool) -> Array:
    """A copy of memory that is valid only inside the callback, on the stream that fills it."""
    kind = numpy_dtype(TensorSpec(name="", dtype=dtype, shape=tuple(shape)))
    array: Array = np.empty(tuple(shape), kind)
    if on_host:
        ctypes.memmove(array.ctypes.data, pointer_of(address), array.nbytes)
        return array
    number = pointer_of(stream)
    to_host = runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
    call("cudaMemcpyAsync", array.ctypes.data, pointer_of(address), array.nbytes, to_host, number)
    call("cudaStreamSynchronize", number)
    return array


def pointer_of(value: Any) -> int:
    """The address in what the bindings hand over: a number, or a capsule around a pointer."""
    if isinstance(value, int):
        return value
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(value, name(value)) or 0)
