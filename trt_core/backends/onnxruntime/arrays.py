"""Arrays in and out of ONNX Runtime without copies, in every dtype that it has."""

from __future__ import annotations

from typing import Any

import numpy as np

from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, UnsupportedRequest
from trt_core.protocols import Array

_SPELLING = {"float": "float32", "double": "float64"}  # where ONNX Runtime spells unlike ONNX
_ML_DTYPES = {
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
}
_ONNX_CODES = {"bfloat16": 16, "float8e4m3fn": 17, "float8e4m3fnuz": 18, "float8e5m2": 19, "float8e5m2fnuz": 20}


def dtype_of(type_text: str) -> str:
    """`float32` for ONNX Runtime's `tensor(float)`; the text itself where it is no tensor."""
    inner = type_text.removeprefix("tensor(").removesuffix(")") if type_text.startswith("tensor(") else type_text
    return _SPELLING.get(inner, inner)


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """The NumPy dtype of an ONNX spelling; `ml_dtypes` lends those that NumPy lacks."""
    if dtype in _ML_DTYPES:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, _ML_DTYPES[dtype]))
    return np.dtype(dtype)


class _Borrowed:
    """Memory of an OrtValue, which lives as long as an array looks at it."""

    def __init__(self, value: Any, size_bytes: int) -> None:
        self._value = value
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": (size_bytes,),
            "data": (value.data_ptr(), True),
        }


def to_array(value: Any) -> Array:
    """A read-only view of an OrtValue's memory; a copy where the memory is not the host's."""
    if not value.is_tensor():
        raise UnsupportedRequest("An output is a sequence, a map or sparse.", remedy="Ask for tensors only.")
    dtype = dtype_of(value.data_type())
    if dtype == "string" or value.device_name().lower() != "cpu":
        return np.asarray(value.numpy())
    if dtype in ("int4", "uint4"):
        raise UnsupportedRequest(f"An output is {dtype}, packed.", remedy="Ask for the tensor after DequantizeLinear.")
    kind, shape = numpy_dtype(dtype), tuple(value.shape())
    size_bytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if size_bytes == 0:
        return np.empty(shape, kind)
    return np.asarray(_Borrowed(value, size_bytes)).view(kind).reshape(shape)


def to_value(array: Array, spec: TensorSpec) -> Any:
    """An OrtValue over the array's memory; raises InvalidData where dtype or shape do not fit the input."""
    import onnxruntime

    array = np.asarray(array)
    expected = np.dtype(object) if spec.dtype == "string" else numpy_dtype(spec.dtype)
    if array.dtype != expected and not (spec.dtype == "string" and array.dtype.kind in "US"):
        raise InvalidData(
            f"Input {spec.name!r} wants {spec.dtype} and got {array.dtype.name}.", remedy=f"Convert it to {spec.dtype}."
        )
    if spec.shape is not None and not _fits(array.shape, spec.shape):
        raise InvalidData(
            f"Input {spec.name!r} wants {spec.shape_text()} and got {' × '.join(map(str, array.shape)) or 'a scalar'}.",
            remedy="Give the declared shape." if spec.shape else "Give a scalar, or export the rank of the inputs.",
        )
    array = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    if spec.dtype in _ONNX_CODES:
        raw = array.view(np.uint16 if array.dtype.itemsize == 2 else np.uint8)
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, _ONNX_CODES[spec.dtype])
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def on_cuda(value: Any) -> Any:
    """The same tensor in the first GPU's memory; strings stay where they are."""
    import onnxruntime

    if dtype_of(value.data_type()) == "string":
        return value
    return onnxruntime.OrtValue.ortvalue_from_numpy(value.numpy(), "cuda", 0)


def _fits(shape: tuple[int, ...], declared: tuple[Any, ...]) -> bool:
    return len(shape) == len(declared) and all(
        not isinstance(want, int) or got == want for got, want in zip(shape, declared, strict=True)
    )
