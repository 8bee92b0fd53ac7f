"""The parts that patterns are made of."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.graph import Graph, Node

ACTIVATIONS = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Elu", "Selu", "HardSigmoid", "HardSwish", "Gelu"}
)
ADDITIONS = frozenset({"Add", "Sum"})
COMPUTING = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
QDQ = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A pattern by name, and its nodes by index in the order of the data."""

    pattern: str
    nodes: tuple[int, ...]


def next_of(graph: Graph, node: Node) -> Node | None:
    """The only reader of a node's only used output; None when there are several, none, or the graph hands it out."""
    if not node.outputs:
        return None
    name = node.outputs[0]
    readers = graph.consumers_of.get(name, ())
    if len(readers) != 1 or any(spec.name == name for spec in graph.outputs):
        return None
    return graph.nodes[readers[0]]


def previous_of(graph: Graph, node: Node, position: int) -> Node | None:
    """The node that writes an input; None for a graph input, an initializer, or no such input."""
    if position >= len(node.inputs):
        return None
    index = graph.producer_of.get(node.inputs[position])
    return None if index is None else graph.nodes[index]


def reads_constant(graph: Graph, node: Node, position: int) -> bool:
    """True when an input is an initializer or a Constant, seen through Q/DQ, Cast, Transpose and Identity."""
    if position >= len(node.inputs):
        return False
    name = node.inputs[position]
    for _ in range(8):
        if name in graph.initializers:
            return True
        index = graph.producer_of.get(name)
        if index is None:
            return False
        writer = graph.nodes[index]
        if writer.op_type == "Constant":
            return True
        if writer.op_type not in QDQ | {"Cast", "Transpose", "Identity", "Unsqueeze"}:
            return False
        name = writer.inputs[0]
    return False
