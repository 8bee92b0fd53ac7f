"""Fusions that a graph promises, and whether the engine has them."""

from __future__ import annotations

from collections.abc import Sequence

from trt_core.analysis.expected import ACTIVATIONS, ADDITIONS, COMPUTING, Expected, next_of, reads_constant
from trt_core.analysis.expected_blocks import expected_attention, expected_gelu, expected_layernorm, expected_silu
from trt_core.analysis.pattern_match import judge, match_quantized, without_claimed_tails
from trt_core.domain.fusion import MappedLayer, NodeFate, PatternMatch
from trt_core.domain.graph import Graph, Node

_NORMALIZATIONS = frozenset({"BatchNormalization", "InstanceNormalization"})


def expected_patterns(graph: Graph) -> tuple[Expected, ...]:
    """Fusions that TensorRT documents and that this graph has the nodes for, in the order of their first nodes.

    Chains are followed only while each tensor has one reader and is no output of the graph: what others read has to be
    written anyway.
    """
    found = [chain for node in graph.nodes if (chain := _chain(graph, node)) is not None]
    for rule in (expected_attention, expected_layernorm, expected_gelu, expected_silu):
        found.extend(rule(graph))
    return tuple(sorted(found, key=lambda item: (item.nodes[0], item.pattern)))


def match_patterns(graph: Graph, fates: Sequence[NodeFate], layers: Sequence[MappedLayer]) -> tuple[PatternMatch, ...]:
    """Each expected pattern with the one layer that holds it, or the reason why none does.

    `fates` are in the order of the graph's nodes. Where two convolutions end in one addition, the one whose kernel has
    it keeps it, and the other is expected to end before it.
    """
    by_index = {layer.index: layer for layer in layers}
    expected = without_claimed_tails(expected_patterns(graph), fates, by_index)
    return tuple(judge(item, fates, by_index) for item in expected)


def _chain(graph: Graph, node: Node) -> Expected | None:
    """Conv, ConvTranspose, Gemm or MatMul with what may become its epilogue."""
    if node.op_type not in COMPUTING or not reads_constant(graph, node, 1):
        return None
    is_conv = node.op_type in ("Conv", "ConvTranspose")
    nodes, parts = [node.index], ["conv" if is_conv else "gemm"]
    here = next_of(graph, node)
    if is_conv and here is not None and here.op_type in _NORMALIZATIONS:
        nodes.append(here.index)
        parts.append("bn")
        here = next_of(graph, here)
    while here is not None and here.op_type in ADDITIONS and parts.count("add") < 1:
        bias = any(reads_constant(graph, here, position) for position in range(len(here.inputs)))
        if bias and "bias" in parts:
            break
        nodes.append(here.index)
        parts.append("bias" if bias else "add")
        here = next_of(graph, here)
    if here is not None and here.op_type in ACTIVATIONS:
        nodes.append(here.index)
        parts.append("activation")
    return Expected(pattern="+".join(parts), nodes=tuple(nodes)) if len(nodes) > 1 else None


__all__ = ["Expected", "expected_patterns", "match_patterns", "match_quantized"]
