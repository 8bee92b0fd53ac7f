"""Constant tensors of a model that is being rewritten: read when needed, written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One constant tensor: what it is, and where its values come from.

    Values are made by `load` on every call and never kept: a model's weights exist once, not once for each step.
    `proto` is set while the tensor is still the file's own. INT4 values are packed two to a byte, low nibble first.
    """

    elem_type: int  # onnx.TensorProto.DataType
    dims: tuple[int, ...]
    load: Callable[[], Array]
    proto: Any = None  # onnx.TensorProto

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.dims, dtype=np.int64))

    def write(self, tensor: onnx.TensorProto, name: str) -> None:
        """Fill an empty TensorProto."""
        if self.proto is not None:
            tensor.CopyFrom(self.proto)
            tensor.name = name
            return
        values = self.load()
        tensor.name = name
        tensor.data_type = self.elem_type
        tensor.dims.extend(self.dims)
        tensor.raw_data = np.ascontiguousarray(values).tobytes()


def stored(proto: onnx.TensorProto) -> Weight:
    """The weight that an initializer of a file holds."""
    from onnx import numpy_helper

    return Weight(
        elem_type=proto.data_type, dims=tuple(proto.dims), load=lambda: numpy_helper.to_array(proto), proto=proto
    )


def made(values: Array, elem_type: int, dims: tuple[int, ...] | None = None) -> Weight:
    """A weight with values that are there already; `dims` where they are packed."""
    return Weight(elem_type=elem_type, dims=values.shape if dims is None else dims, load=lambda: values)
