"""Every tensor that a model's file holds, wherever it hides, and whether it holds what it declares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from trt_core.domain.tensors import BITS
from trt_core.errors import UnreadableModel

_FLOAT, _UINT64, _DOUBLE = 1, 13, 11
_STRING, _COMPLEX64, _COMPLEX128, _INT64, _UINT32 = 8, 14, 15, 7, 12
_TENSOR, _GRAPH, _TENSORS, _GRAPHS, _SPARSE_TENSOR, _SPARSE_TENSORS = 4, 5, 9, 10, 11, 12  # AttributeProto.type
EXTERNAL = 1  # TensorProto.data_location
_SPELLING = {1: "float32", 11: "float64"}
_SHOWN = 80


def shown(name: str) -> str:
    """A name out of a model, quoted for an error text: at most 80 characters, control characters escaped."""
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def dtype_name(data_type: int) -> str:
    """The lower-case ONNX spelling of a TensorProto data type: `float32`, `int8`; `undefined` for an unknown one."""
    import onnx

    if data_type in _SPELLING:
        return _SPELLING[data_type]
    try:
        return str(onnx.TensorProto.DataType.Name(data_type)).lower()
    except ValueError:
        return "undefined"


def all_tensors(model: Any) -> Iterator[Any]:
    """Every TensorProto of a model: initializers, attributes, and those of bodies, functions and training graphs."""
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)
    for training in model.training_info:
        yield from _graph_tensors(training.initialization)
        yield from _graph_tensors(training.algorithm)


def _graph_tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            kind = attribute.type
            if kind in (_TENSOR, _TENSORS):
                yield from (attribute.t, *attribute.tensors) if attribute.HasField("t") else attribute.tensors
            elif kind in (_GRAPH, _GRAPHS):
                for graph in (attribute.g, *attribute.graphs):
                    yield from _graph_tensors(graph)
            elif kind in (_SPARSE_TENSOR, _SPARSE_TENSORS):
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)


def subgraphs(node: Any) -> Iterator[Any]:
    """The bodies that a node holds (If, Loop, Scan), one level deep."""
    for attribute in node.attribute:
        if attribute.type in (_GRAPH, _GRAPHS):
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def is_external(tensor: Any) -> bool:
    """True when the tensor's data lies in another file."""
    return bool(tensor.data_location == EXTERNAL)


def element_count(tensor: Any) -> int:
    """Elements that the tensor declares; UnreadableModel for a negative dimension."""
    dims = tuple(tensor.dims)
    if any(dim < 0 for dim in dims):
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} declares the shape {_shape(dims)}.", remedy="Export the model again."
        )
    return math.prod(dims)


def declared_bytes(tensor: Any) -> int:
    """Bytes of raw data that the tensor's dtype and shape call for; UnreadableModel where a dtype has none."""
    bits = BITS.get(dtype_name(tensor.data_type)) or {_COMPLEX64: 64, _COMPLEX128: 128}.get(tensor.data_type)
    if bits is None and dtype_name(tensor.data_type).startswith(("float8", "float4", "int", "uint")):
        bits = int("".join(c for c in dtype_name(tensor.data_type).split("e")[0] if c.isdigit()))
    if bits is None:
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} of type {dtype_name(tensor.data_type)} cannot be stored as raw bytes.",
            remedy="Export the model again.",
        )
    return (element_count(tensor) * bits + 7) // 8


def check_tensor(tensor: Any) -> None:
    """Raise UnreadableModel when a tensor holds more or less than its shape and dtype declare.

    Allocations follow declared shapes: a file of 200 bytes may declare a petabyte.
    """
    count = element_count(tensor)
    if tensor.HasField("raw_data"):
        declared, held, unit = declared_bytes(tensor), len(tensor.raw_data), "bytes"
    else:
        declared, held = count, _typed_count(tensor)
        unit = "elements"
    if held != declared:
        raise UnreadableModel(
            f"Tensor {shown(tensor.name)} of shape {_shape(tuple(tensor.dims))} declares {declared:,} {unit} and "
            f"holds {held:,}.",
            remedy="The file is damaged or was cut: export or copy the model again.",
        )


def _typed_count(tensor: Any) -> int:
    kind = tensor.data_type
    if kind in (_FLOAT, _COMPLEX64):
        return len(tensor.float_data) // (2 if kind == _COMPLEX64 else 1)
    if kind in (_DOUBLE, _COMPLEX128):
        return len(tensor.double_data) // (2 if kind == _COMPLEX128 else 1)
    if kind in (_UINT64, _UINT32):
        return len(tensor.uint64_data)
    if kind == _INT64:
        return len(tensor.int64_data)
    if kind == _STRING:
        return len(tensor.string_data)
    packed = {4: 2, 2: 4}.get(BITS.get(dtype_name(kind), 8), 1)  # 4-bit types put two elements into one int32
    held = len(tensor.int32_data)
    count = element_count(tensor)
    return count if packed > 1 and held == -(-count // packed) else held


def _shape(dims: tuple[int, ...]) -> str:
    text = " × ".join(str(dim) for dim in dims[:8]) or "scalar"
    return text if len(dims) <= 8 else f"{text} × …"
