"""Number formats: ONNX element types, rounding, scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from trt_core.domain.precision import Precision

FLOAT, FLOAT16, BFLOAT16, FLOAT8E4M3FN, INT8, INT4 = 1, 10, 16, 17, 3, 22  # onnx.TensorProto.DataType

# Element type of what carries a precision; TF32 is FP32 in the file.
ELEM_TYPES = {
    Precision.FP32: FLOAT,
    Precision.TF32: FLOAT,
    Precision.FP16: FLOAT16,
    Precision.BF16: BFLOAT16,
    Precision.INT8: INT8,
    Precision.FP8: FLOAT8E4M3FN,
    Precision.INT4: INT4,
}
ELEM_NAMES = {
    FLOAT: "float32",
    FLOAT16: "float16",
    BFLOAT16: "bfloat16",
    FLOAT8E4M3FN: "float8",
    INT8: "int8",
    INT4: "int4",
}
LOW_FLOATS = frozenset({FLOAT16, BFLOAT16})

# The value that the largest magnitude is mapped to: symmetric ranges, so -128 and -8 stay unused.
LARGEST = {Precision.INT8: 127.0, Precision.FP8: 448.0, Precision.INT4: 7.0}
LARGEST_FP16 = 65504.0
_TINIEST = {FLOAT16: 2.0**-24, BFLOAT16: 2.0**-126, FLOAT: 2.0**-126}

Floats = npt.NDArray[np.float32]


def to_elem_type(values: npt.NDArray[Any], elem_type: int) -> npt.NDArray[Any]:
    """The values in FLOAT, FLOAT16 or BFLOAT16, rounded to nearest even; beyond the range they become infinite."""
    if elem_type == FLOAT16:
        with np.errstate(over="ignore"):
            return values.astype(np.float16)
    if elem_type == BFLOAT16:
        import ml_dtypes

        return values.astype(ml_dtypes.bfloat16)
    return values.astype(np.float32, copy=False)


def to_e4m3(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The values rounded to FP8 E4M3, which holds up to 448."""
    import ml_dtypes

    return values.astype(ml_dtypes.float8_e4m3fn).astype(np.float64)


def symmetric_scale(amax: npt.NDArray[Any] | float, precision: Precision, elem_type: int) -> Floats:
    """Scale(s) that map a largest magnitude to the format's largest value, representable in `elem_type`.

    `scale = amax / 127` (INT8), `/ 448` (FP8 E4M3), `/ 7` (INT4). Q and DQ must use the same number, and in an FP16
    graph it is stored in FP16: so it is rounded here, upwards, and nothing clips. Where all values are zero it is 1.
    """
    wanted = np.asarray(amax, np.float32) / np.float32(LARGEST[precision])
    wanted = np.where(wanted > 0, np.maximum(wanted, np.float32(_TINIEST[elem_type])), np.float32(1.0)).astype(
        np.float32
    )
    if elem_type == FLOAT16:
        rounded = np.minimum(wanted, np.float32(LARGEST_FP16)).astype(np.float16)
        short = rounded.astype(np.float32) < np.minimum(wanted, np.float32(LARGEST_FP16))
        with np.errstate(over="ignore"):  # of the largest, which is never too short
            raised_by_one = np.nextafter(rounded, np.float16(np.inf))
        return np.where(short, raised_by_one, rounded).astype(np.float32)
    if elem_type == BFLOAT16:
        bits = wanted.view(np.uint32) if wanted.shape else wanted.reshape(1).view(np.uint32)
        raised = (bits + np.uint32(0xFFFF)) & np.uint32(0xFFFF0000)
        return raised.view(np.float32).reshape(wanted.shape)
    return wanted
