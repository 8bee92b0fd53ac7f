"""Shape inference over a skeleton: what is known of every top-level tensor, and why no more is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trt_core.domain.tensors import Dim, TensorSpec
from trt_core.onnx_graph.skeleton import make_skeleton
from trt_core.onnx_graph.tensors import dtype_name

Shape = tuple[int, ...]
_LONG_VECTOR = 1 << 14
_INTEGERS = (6, 7)  # TensorProto.INT32 and INT64


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """Types by tensor name (`onnx.TypeProto`), and the library's words where inference stopped early.

    In `problem` nodes are called by their index in the file.
    """

    types: Mapping[str, Any]
    problem: str = ""


def infer_types(model: Any) -> Inferred:
    """Types of inputs, outputs, initializers and inner tensors; tolerant: what cannot be inferred is left out."""
    skeleton, _ = make_skeleton(model)
    return _infer(skeleton)


def infer_types_at(model: Any, shapes: Mapping[str, Shape], *, strict: bool) -> Inferred:
    """The same with input shapes replaced; recorded inner and output shapes, made for other sizes, are dropped."""
    skeleton, _ = make_skeleton(model)
    set_input_shapes(skeleton, shapes)
    return _infer(skeleton, strict=strict)


def set_input_shapes(skeleton: Any, shapes: Mapping[str, Shape]) -> None:
    """Give the inputs of a skeleton those shapes and forget every shape recorded for what follows from them."""
    for value in skeleton.graph.input:
        if value.name in shapes and value.type.HasField("tensor_type"):
            shape = value.type.tensor_type.shape
            del shape.dim[:]
            shape.SetInParent()
            for size in shapes[value.name]:
                shape.dim.add().dim_value = size
    del skeleton.graph.value_info[:]
    for value in skeleton.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")


def _infer(skeleton: Any, *, strict: bool = False) -> Inferred:
    import onnx

    problem = ""
    try:
        plain = onnx.shape_inference.infer_shapes(skeleton)
        propagate = _is_worth_propagating(plain.graph)
        if strict or propagate:
            plain = onnx.shape_inference.infer_shapes(skeleton, strict_mode=strict, data_prop=propagate)
        skeleton = plain
    except _library_errors() as error:
        problem = " ".join(str(error).split())[:4000] or type(error).__name__
    graph = skeleton.graph
    types = {value.name: value.type for value in (*graph.value_info, *graph.output, *graph.input)}
    for tensor in graph.initializer:
        types[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
    return Inferred(types=types, problem=problem)


def _library_errors() -> tuple[type[Exception], ...]:
    import onnx

    return (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError, MemoryError)


def _is_worth_propagating(graph: Any) -> bool:
    """True when nodes compute shapes (integers of at most one dimension) and no vector is too long to follow.

    Propagating values costs some 150 bytes for every element of every vector that is added or multiplied, whether it is
    a shape or not: a vector of a billion elements would exhaust the machine.
    """
    computes_shapes = False
    for value in (*graph.value_info, *graph.output, *graph.input):
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        if len(dims) == 1 and dims[0].dim_value > _LONG_VECTOR:
            return False
        computes_shapes = computes_shapes or (tensor.elem_type in _INTEGERS and len(dims) <= 1)
    return computes_shapes


def spec_of(name: str, kind: Any) -> TensorSpec:
    """A `TypeProto` as a domain value; symbols that inference invented become unknown dimensions."""
    which = kind.WhichOneof("value")
    if which != "tensor_type":
        return TensorSpec(name=name, dtype=(which or "undefined").removesuffix("_type"), shape=None)
    tensor = kind.tensor_type
    shape = tuple(_dim(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorSpec(name=name, dtype=dtype_name(tensor.elem_type), shape=shape)


def _dim(dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        # Exporters write -1 where they mean that the size is not known.
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    if dim.HasField("dim_param") and dim.dim_param and not dim.dim_param.startswith("unk__"):
        return str(dim.dim_param)
    return None
