"""Which inputs and outputs of an operator may be FP16 or BF16, by the ONNX schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from trt_core.precision.formats import BFLOAT16, FLOAT16

if TYPE_CHECKING:
    import onnx

_SPELLING = {FLOAT16: "tensor(float16)", BFLOAT16: "tensor(bfloat16)"}


def low_slots(node: onnx.NodeProto, opset: int, elem_type: int) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """For each input and each output, whether the schema allows `elem_type` there beside FLOAT.

    A slot is free only if its type parameter allows the format: `scales` of Resize, say, is FLOAT whatever X is.
    """
    if elem_type not in _SPELLING:
        return (False,) * len(node.input), (False,) * len(node.output)
    return _slots(node.op_type, opset, _SPELLING[elem_type], len(node.input), len(node.output))


@lru_cache(maxsize=4096)
def _slots(
    op_type: str, opset: int, spelling: str, inputs: int, outputs: int
) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    import onnx

    try:
        schema = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return (False,) * inputs, (False,) * outputs
    return (
        tuple(_allows(schema.inputs, position, spelling) for position in range(inputs)),
        tuple(_allows(schema.outputs, position, spelling) for position in range(outputs)),
    )


def _allows(parameters: Any, position: int, spelling: str) -> bool:
    if not parameters:
        return False
    types = parameters[min(position, len(parameters) - 1)].types  # the last one may be variadic
    return "tensor(float)" in types and spelling in types
