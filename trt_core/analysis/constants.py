"""Nodes that need no engine layer, provable on the ONNX graph alone."""

from __future__ import annotations

from collections import deque

from trt_core.domain.graph import Graph, Node

CONSTANT_FOLDING = "constant folding"
DEAD_CODE = "dead code: no output reads it"

# Their results differ from call to call, or their bodies are not part of the plain graph.
_NEVER_CONSTANT = frozenset(
    {
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
        "If",
        "Loop",
        "Scan",
    }
)


def provably_folded(graph: Graph) -> dict[int, str]:
    """Why no engine layer has to compute a node, by node index: constant folding, or dead code.

    A node is constant when every input is an initializer that is no graph input, or comes from a constant node; Shape
    and Size are constant when their input's shape is static. Sources of chance and control flow never are.
    """
    dead = _dead(graph)
    constant = constant_tensors(graph)
    reasons = dict.fromkeys(dead, DEAD_CODE)
    for node in graph.nodes:
        if node.index not in dead and node.outputs and all(name in constant for name in node.outputs if name):
            reasons[node.index] = CONSTANT_FOLDING
    return reasons


def constant_tensors(graph: Graph) -> frozenset[str]:
    """Names of the tensors whose values do not depend on the graph's inputs."""
    constant = set(graph.initializers - {spec.name for spec in graph.inputs})
    changed = True
    while changed:  # a file's nodes are sorted, so one pass does it; a second one proves that
        before = len(constant)
        for node in graph.nodes:
            if _is_constant(node, graph, constant):
                constant.update(name for name in node.outputs if name)
        changed = len(constant) != before
    return frozenset(constant)


def _is_constant(node: Node, graph: Graph, constant: set[str]) -> bool:
    if node.op_type in _NEVER_CONSTANT or node.domain not in ("", "ai.onnx") or node.subgraph_nodes:
        return False
    if node.op_type in ("Shape", "Size"):
        spec = graph.tensors.get(node.inputs[0]) if node.inputs else None
        if spec is not None and spec.is_static:
            return True
    return all(name in constant for name in node.inputs if name)


def _dead(graph: Graph) -> set[int]:
    wanted = {spec.name for spec in graph.outputs}
    if not wanted:
        return set()
    alive: set[int] = set()
    waiting = deque(graph.producer_of[name] for name in wanted if name in graph.producer_of)
    while waiting:
        index = waiting.popleft()
        if index in alive:
            continue
        alive.add(index)
        node = graph.nodes[index]
        if node.subgraph_nodes:  # a body may read any tensor of the outer graph
            return set()
        waiting.extend(graph.producer_of[name] for name in node.inputs if name in graph.producer_of)
    return {node.index for node in graph.nodes} - alive
