"""The precision that a file brings along: of its Q/DQ pairs, else of its floating tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trt_core.domain.precision import Precision
from trt_core.precision.draft import read_draft
from trt_core.precision.formats import BFLOAT16, FLOAT8E4M3FN, FLOAT16, INT4, INT8
from trt_core.precision.inference import infer_types

if TYPE_CHECKING:
    import onnx

_UINT8, _UINT4, _FLOAT8E5M2 = 2, 21, 19
_QUANTIZED = {
    INT8: Precision.INT8,
    _UINT8: Precision.INT8,
    FLOAT8E4M3FN: Precision.FP8,
    _FLOAT8E5M2: Precision.FP8,
    INT4: Precision.INT4,
    _UINT4: Precision.INT4,
}
_FLOATS = {FLOAT16: Precision.FP16, BFLOAT16: Precision.BF16}


def own_precision(model: onnx.ModelProto) -> Precision | None:
    """What a file is in: INT8, FP8 or INT4 where it has Q/DQ pairs (the first of them), else FP16 or BF16.

    None where all is FP32.
    """
    draft = read_draft(model)
    elem_types = infer_types(draft).elem_types
    steps = {elem_types.get(name, 0) for node in draft.nodes if node.is_standard for name in _steps(node.proto)}
    if any(node.proto.op_type == "QuantizeLinear" and not _zero_point(node.proto) for node in draft.nodes):
        steps.add(_UINT8)
    found = {_QUANTIZED[item] for item in steps if item in _QUANTIZED}
    found = found or {_FLOATS[item] for item in elem_types.values() if item in _FLOATS}
    return min(found, key=list(Precision).index, default=None)


def _steps(proto: onnx.NodeProto) -> tuple[str, ...]:
    """The tensors of a Q or DQ node that hold steps of its format."""
    if proto.op_type == "QuantizeLinear":
        return (proto.output[0], _zero_point(proto))
    return (proto.input[0],) if proto.op_type == "DequantizeLinear" else ()


def _zero_point(proto: onnx.NodeProto) -> str:
    return proto.input[2] if len(proto.input) > 2 else ""
