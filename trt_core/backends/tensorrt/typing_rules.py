"""Which precisions a file asks for, and what a weakly typed TensorRT must be told so that it may use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.domain.precision import Precision
from trt_core.errors import UnsupportedRequest

if TYPE_CHECKING:
    import onnx

_OF_DTYPE = {
    "FLOAT16": Precision.FP16,
    "BFLOAT16": Precision.BF16,
    "FLOAT8E4M3FN": Precision.FP8,
    "FLOAT8E4M3FNUZ": Precision.FP8,
    "FLOAT8E5M2": Precision.FP8,
    "FLOAT8E5M2FNUZ": Precision.FP8,
    "INT4": Precision.INT4,
    "UINT4": Precision.INT4,
}
_QUANTIZING = frozenset({"QuantizeLinear", "DequantizeLinear"})
_CONVERTING = _QUANTIZING | {"Cast", "CastLike", "Constant"}


@dataclass(frozen=True, kw_only=True)
class FileTypes:
    """Reduced precisions that a file holds, and the nodes that compute in FP32 beside FP16 ones."""

    precisions: frozenset[Precision]
    fp32_nodes: frozenset[str] = frozenset()


def types_of(path: Path) -> FileTypes:
    """Read them from a file, weights unread."""
    from trt_core.onnx_graph.load import load_model

    model = load_model(path, weights=False)
    found = set(_dtypes(model.graph))
    precisions = {_OF_DTYPE[name] for name in found if name in _OF_DTYPE}
    has_pairs = any(node.op_type in _QUANTIZING for node in model.graph.node)
    if has_pairs and not {Precision.FP8, Precision.INT4} & precisions:
        precisions.add(Precision.INT8)
    held = _fp32_nodes(model) if Precision.FP16 in precisions else frozenset()
    return FileTypes(precisions=frozenset(precisions), fp32_nodes=held)


def _fp32_nodes(model: onnx.ModelProto) -> frozenset[str]:
    """Nodes whose floating inputs and outputs are all FP32, casts and Q/DQ pairs left out."""
    from trt_core.onnx_graph.read import read_graph

    graph = read_graph(model)
    found = set()
    for node in graph.nodes:
        specs = [graph.tensors[name] for name in (*node.inputs, *node.outputs) if name in graph.tensors]
        floats = {spec.dtype for spec in specs if spec.is_floating}
        if floats == {"float32"} and node.op_type not in _CONVERTING:
            found.add(node.name)
    return frozenset(found)


def _dtypes(graph: onnx.GraphProto) -> Iterator[str]:
    from onnx import TensorProto

    for tensor in graph.initializer:
        yield TensorProto.DataType.Name(tensor.data_type)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                yield TensorProto.DataType.Name(attribute.i)
            if attribute.HasField("g"):
                yield from _dtypes(attribute.g)


def check_weak(wanted: Iterable[Precision], version: str) -> None:
    """Refuse what a weakly typed TensorRT 8.6 cannot be told: BF16, FP8 and INT4."""
    for precision in sorted(wanted, key=lambda item: item.value):
        if precision in (Precision.BF16, Precision.FP8, Precision.INT4):
            raise UnsupportedRequest(
                f"TensorRT {version} has no {precision.value.upper()}: it reads FP32, FP16 and INT8 from ONNX only.",
                remedy="Build an FP16 or INT8 variant, or use TensorRT 10 or newer.",
            )
