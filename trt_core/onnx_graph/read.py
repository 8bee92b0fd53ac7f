"""From an ONNX message to plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph, Node
from trt_core.domain.tensors import TensorSpec
from trt_core.onnx_graph.attributes import attribute_texts
from trt_core.onnx_graph.inference import Inferred, infer_types, infer_types_at, spec_of
from trt_core.onnx_graph.macs import count_macs
from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.tensors import dtype_name, element_count, subgraphs

if TYPE_CHECKING:
    import onnx

__all__ = ["ModelFacts", "describe_model", "node_name", "read_graph"]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model card says. `opset` is the default domain's (0 without one), `parameters` counts stored elements."""

    opset: int
    opsets: tuple[tuple[str, int], ...]
    ir_version: int
    producer: str
    parameters: int
    node_count: int
    macs: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    op_histogram: dict[str, int]
    findings: tuple[Finding, ...] = ()


def read_graph(model: onnx.ModelProto) -> Graph:
    """The top-level graph with every tensor that shape inference can type; symbolic dimensions are kept.

    Inference that fails leaves tensors out; it never raises. `Node.macs` takes symbolic dimensions as 1.
    """
    return _graph(model, infer_types(model))


def _graph(model: Any, inferred: Inferred) -> Graph:
    specs = {name: spec_of(name, kind) for name, kind in inferred.types.items()}
    stored = [tensor.name for tensor in model.graph.initializer]
    stored += [sparse.values.name for sparse in model.graph.sparse_initializer]
    initializers = frozenset(stored)
    inputs = tuple(spec_of(value.name, value.type) for value in model.graph.input if value.name not in initializers)
    outputs = tuple(specs.get(value.name) or spec_of(value.name, value.type) for value in model.graph.output)
    sized = _specs_at_one(model, inputs) or specs

    def shape_at_one(name: str) -> tuple[int, ...] | None:
        spec = sized.get(name) or specs.get(name)
        if spec is None or spec.shape is None:
            return None
        return tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape)

    nodes = tuple(
        Node(
            index=index,
            name=node_name(node),
            op_type=node.op_type,
            domain="" if node.domain == "ai.onnx" else node.domain,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes=attribute_texts(node),
            macs=count_macs(node, shape_at_one),
            subgraph_nodes=sum(_node_count(body) for body in subgraphs(node)),
        )
        for index, node in enumerate(model.graph.node)
    )
    known = {name: spec for name, spec in specs.items() if spec.dtype != "undefined"}
    return Graph(nodes=nodes, inputs=inputs, outputs=outputs, tensors=known, initializers=initializers)


def _specs_at_one(model: Any, inputs: tuple[TensorSpec, ...]) -> dict[str, TensorSpec] | None:
    """Specs with every symbol set to 1 before inference, so that what follows from symbols (b x 64) is counted, too."""
    if all(spec.is_static or spec.shape is None for spec in inputs):
        return None
    ones = {
        spec.name: tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape)
        for spec in inputs
        if spec.shape is not None
    }
    inferred = infer_types_at(model, ones, strict=False)
    return {name: spec_of(name, kind) for name, kind in inferred.types.items()}


def _node_count(graph: Any) -> int:
    return sum(1 + sum(_node_count(body) for body in subgraphs(node)) for node in graph.node)


def describe_model(model: onnx.ModelProto, graph: Graph) -> ModelFacts:
    """Facts for a model card; stored elements inside subgraph bodies and Constant nodes count as parameters, too."""
    opsets = {"" if item.domain == "ai.onnx" else item.domain: item.version for item in model.opset_import}
    return ModelFacts(
        opset=int(opsets.get("", 0)),
        opsets=tuple(sorted((str(domain), int(version)) for domain, version in opsets.items())),
        ir_version=int(model.ir_version),
        producer=" ".join(f"{model.producer_name} {model.producer_version}".split())[:200],
        parameters=sum(_parameters(model.graph)),
        node_count=len(graph.nodes),
        macs=graph.macs,
        inputs=graph.inputs,
        outputs=graph.outputs,
        op_histogram=graph.op_histogram,
        findings=_findings(graph),
    )


def _parameters(graph: Any) -> Iterator[int]:
    for tensor in graph.initializer:
        if dtype_name(tensor.data_type) != "string":
            yield element_count(tensor)
    for sparse in graph.sparse_initializer:
        yield element_count(sparse.values)
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (element_count(item.t) for item in node.attribute if item.HasField("t"))
        for body in subgraphs(node):
            yield from _parameters(body)


def _findings(graph: Graph) -> tuple[Finding, ...]:
    untyped = Counter(
        node.op_type for node in graph.nodes if any(name and name not in graph.tensors for name in node.outputs)
    )
    if not untyped:
        return ()
    names = tuple(node.name for node in graph.nodes if any(name and name not in graph.tensors for name in node.outputs))
    ops = ", ".join(f"{count} × {op}" for op, count in untyped.most_common(5))
    return (
        Finding(
            rule="shapes-not-inferred",
            severity=Severity.NOTE,
            message=f"ONNX shape inference finds no type for the outputs of {sum(untyped.values())} nodes ({ops}).",
            remedy="Their sizes and multiply-accumulates are not counted; custom ops have no inference.",
            nodes=names[:100],
        ),
    )
