"""One `.npy` inside an archive: its header, checked, and its samples, read in pieces."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from trt_core.errors import InvalidData
from trt_core.onnx_graph.tensors import shown

Array = npt.NDArray[Any]

_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
DTYPES = _INTEGERS | {"float16", "float32", "float64", "bool"}
_MAX_SAMPLE_BYTES = 1 << 30  # a batch of one is held in memory


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the header of one `.npy` says, checked."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def size_bytes(self) -> int:
        """Bytes of all samples."""
        return self.shape[0] * self.sample_bytes


def read_header(name: str, stream: IO[bytes], entry: zipfile.ZipInfo) -> Header:
    """Read the header that the stream begins with; afterwards the stream stands at the first sample."""
    readers: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        # Version 3 only exists for field names, and an array with fields is no tensor.
        shape, fortran_order, dtype = readers[np.lib.format.read_magic(stream)](stream)
    except (ValueError, KeyError) as error:
        raise InvalidData(
            f"Array {shown(name)} has no readable header: {str(error)[:200]}.", remedy="Write it with numpy.savez."
        ) from error
    _check_dtype(name, dtype)
    if not shape:
        raise InvalidData(f"Array {shown(name)} is a scalar.", remedy="Its first axis must count samples.")
    if fortran_order and sum(size > 1 for size in shape) > 1:
        raise InvalidData(
            f"Array {shown(name)} is stored in column order, so that no sample lies in one piece.",
            remedy="Save numpy.ascontiguousarray of it.",
        )
    header = Header(dtype=dtype, shape=tuple(int(size) for size in shape))
    if not header.sample_bytes:
        raise InvalidData(f"The samples of {shown(name)} are empty.", remedy="Check the shape of the array.")
    if header.sample_bytes > _MAX_SAMPLE_BYTES:
        raise InvalidData(
            f"One sample of {shown(name)} declares {header.sample_bytes:,} bytes; the limit is {_MAX_SAMPLE_BYTES:,}.",
            remedy="Check the shape of the array.",
        )
    if stream.tell() + header.size_bytes != entry.file_size:
        raise InvalidData(
            f"Array {shown(name)} declares {header.size_bytes:,} bytes and holds {entry.file_size - stream.tell():,}.",
            remedy="The file is damaged: write it again.",
        )
    return header


def _check_dtype(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise InvalidData(
            f"Array {shown(name)} holds Python objects.",
            remedy="Save numeric arrays of one shape; objects are never read.",
        )
    if dtype.name not in DTYPES:
        raise InvalidData(
            f"Array {shown(name)} has the dtype {dtype}.", remedy=f"Use one of {', '.join(sorted(DTYPES))}."
        )


def read_samples(name: str, stream: IO[bytes], header: Header, count: int) -> Array:
    """The next `count` samples as a writable array in native byte order; InvalidData when the stream ends early."""
    buffer = read_exactly(name, stream, count * header.sample_bytes)
    array = np.frombuffer(buffer, dtype=header.dtype).reshape((count, *header.shape[1:]))
    return array.astype(header.dtype.newbyteorder("="), copy=False)


def read_exactly(name: str, stream: IO[bytes], size: int) -> bytearray:
    """The next `size` bytes; InvalidData when there are fewer."""
    buffer = bytearray(size)
    view, filled = memoryview(buffer), 0
    while filled < size:
        count = stream.readinto(view[filled:])  # type: ignore[attr-defined] # typing.IO leaves readinto out
        if not count:
            raise InvalidData(f"Array {shown(name)} ends before its last sample.", remedy="Write the file again.")
        filled += count
    return buffer
