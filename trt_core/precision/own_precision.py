"""The precision that a file brings along: of its Q/DQ pairs, else of its floating tensors."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from trt_core.domain.precision import Precision
from trt_core.onnx_graph.structure import captured
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.draft import read_draft
from trt_core.precision.formats import BFLOAT16, FLOAT, FLOAT8E4M3FN, FLOAT16, INT4, INT8, LOW_FLOATS
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


def with_float_inputs(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """The file with FP32 inputs, where they are in FP16 or BF16 and out of `names`, and a Cast behind each.

    So it takes the samples of an FP32 model, rounded as its user would. What a body reads from outside, or what is an
    output as well, stays.
    """
    import onnx

    pinned = {name for node in model.graph.node for body in subgraphs(node) for name in captured(body)}
    pinned |= {value.name for value in model.graph.output}
    wanted = {item.name: item.type.tensor_type.elem_type for item in model.graph.input if item.name not in pinned}
    low = {name: found for name, found in wanted.items() if name in names and found in LOW_FLOATS}
    if not low:
        return model
    made = onnx.ModelProto()
    made.CopyFrom(model)
    draft = read_draft(model)
    rounded = {name: draft.fresh(f"{name}_rounded") for name in low}
    for value in made.graph.input:
        if value.name in low:
            value.type.tensor_type.elem_type = FLOAT
    for node in made.graph.node:
        node.input[:] = [rounded.get(name, name) for name in node.input]
    casts = [onnx.helper.make_node("Cast", [name], [rounded[name]], name=rounded[name], to=low[name]) for name in low]
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made
