"""Names that are no text: protobuf hands them out as bytes, which nothing downstream expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.tensors import subgraphs


def check_text(model: Any) -> None:
    """Raise UnreadableModel when a name, an op type, a domain or a symbol is not valid UTF-8."""
    for text in _texts(model):
        if not isinstance(text, str):
            raise UnreadableModel(
                f"The model holds {bytes(text[:40])!r} where a name must be, which is not UTF-8.",
                remedy="The file is damaged: export or copy the model again.",
            )


def _texts(model: Any) -> Iterator[Any]:
    yield from (model.producer_name, model.producer_version, model.domain)
    yield from (item.domain for item in model.opset_import)
    for item in model.metadata_props:
        yield from (item.key, item.value)
    yield from _graph_texts(model.graph)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output, *function.attribute)
        yield from (item.domain for item in function.opset_import)
        yield from _node_texts(function.node)


def _graph_texts(graph: Any) -> Iterator[Any]:
    yield graph.name
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    yield from _node_texts(graph.node)


def _node_texts(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain)
        yield from node.input
        yield from node.output
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
        for body in subgraphs(node):
            yield from _graph_texts(body)
