"""Attention, layer normalization, GELU and SiLU in the forms that exporters write."""

from __future__ import annotations

from collections.abc import Iterator

from trt_core.analysis.expected import QDQ, Expected, next_of, previous_of, reads_constant
from trt_core.domain.graph import Graph, Node

_AROUND_SOFTMAX = frozenset({"Mul", "Div", "Add", "Sub", "Where", "Cast", "Reshape", "Dropout", "Identity"}) | QDQ


def expected_attention(graph: Graph) -> Iterator[Expected]:
    """MatMul, scale and mask, Softmax, MatMul of two activations; or the op Attention."""
    for node in graph.nodes:
        if node.op_type == "Attention":
            yield Expected(pattern="attention", nodes=(node.index,))
        if node.op_type != "Softmax":
            continue
        before, after = _to_scores(graph, node), _to_context(graph, node)
        if before and after:
            yield Expected(pattern="attention", nodes=(*before, node.index, *after))


def _to_scores(graph: Graph, softmax: Node) -> tuple[int, ...]:
    found: list[int] = []
    here = softmax
    for _ in range(8):
        above = [
            node for position in range(len(here.inputs)) if (node := previous_of(graph, here, position)) is not None
        ]
        above = [node for node in above if node.op_type in _AROUND_SOFTMAX | {"MatMul"}]
        if not above:
            return ()
        # The scores come first; a mask that is computed stands on the other side.
        here = next((node for node in above if node.op_type == "MatMul"), above[0])
        found.insert(0, here.index)
        if here.op_type == "MatMul":
            return () if reads_constant(graph, here, 1) else tuple(found)
    return ()


def _to_context(graph: Graph, softmax: Node) -> tuple[int, ...]:
    found: list[int] = []
    here: Node | None = softmax
    for _ in range(6):
        here = next_of(graph, here) if here is not None else None
        if here is None or here.op_type not in _AROUND_SOFTMAX | {"MatMul"}:
            return ()
        found.append(here.index)
        if here.op_type == "MatMul":
            return () if reads_constant(graph, here, 1) else tuple(found)
    return ()


def expected_layernorm(graph: Graph) -> Iterator[Expected]:
    """The ops LayerNormalization and RMSNormalization, or mean, difference, variance, root and quotient by hand."""
    for node in graph.nodes:
        if node.op_type in ("LayerNormalization", "RMSNormalization", "GroupNormalization", "SimplifiedLayerNorm"):
            yield Expected(pattern="layernorm", nodes=(node.index,))
        elif node.op_type == "Sqrt" and (nodes := primitive_layernorm(graph, node)):
            yield Expected(pattern="layernorm", nodes=nodes)


def primitive_layernorm(graph: Graph, root: Node) -> tuple[int, ...]:
    """The nodes of a layer normalization written out, around its Sqrt; empty when it is something else."""
    shifted = previous_of(graph, root, 0)
    variance = _first_before(graph, shifted, {"ReduceMean"}) if shifted and shifted.op_type == "Add" else None
    square = previous_of(graph, variance, 0) if variance else None
    if shifted is None or variance is None or square is None or square.op_type not in ("Pow", "Mul"):
        return ()
    difference = previous_of(graph, square, 0)
    divided = next_of(graph, root)
    if difference is None or difference.op_type != "Sub" or divided is None or divided.op_type != "Div":
        return ()
    mean = _first_before(graph, difference, {"ReduceMean"})
    if mean is None:
        return ()
    nodes = [mean, difference, square, variance, shifted, root, divided]
    here: Node | None = divided
    for op in ("Mul", "Add"):
        here = next_of(graph, here) if here else None
        if here is None or here.op_type != op or not any(reads_constant(graph, here, i) for i in (0, 1)):
            break
        nodes.append(here)
    return tuple(node.index for node in nodes)


def _first_before(graph: Graph, node: Node, ops: set[str]) -> Node | None:
    above = (previous_of(graph, node, position) for position in range(len(node.inputs)))
    return next((item for item in above if item is not None and item.op_type in ops), None)


def expected_gelu(graph: Graph) -> Iterator[Expected]:
    """x/2 (1 + erf(x/√2)) and its tanh form with x³, the factors in any order; or the op Gelu."""
    for node in graph.nodes:
        if node.op_type == "Gelu":
            yield Expected(pattern="gelu", nodes=(node.index,))
        elif node.op_type == "Erf" or (node.op_type == "Tanh" and _cubic_below(graph, node)):
            before = _scalings_before(graph, node)
            after = _gate_after(graph, node)
            if after:
                yield Expected(pattern="gelu", nodes=tuple(dict.fromkeys((*before, node.index, *after))))


def _cubic_below(graph: Graph, tanh: Node) -> bool:
    return any(
        graph.nodes[index].op_type == "Pow" or graph.nodes[index].op_type == "Mul"
        for index in _scalings_before(graph, tanh)
    )


def _scalings_before(graph: Graph, node: Node) -> list[int]:
    """What scales the argument: Div or Mul for erf; Mul, Add, Mul and Pow for tanh."""
    found: list[int] = []
    here = previous_of(graph, node, 0)
    steps = 1 if node.op_type == "Erf" else 5
    while here is not None and steps and here.op_type in ("Div", "Mul", "Add", "Pow"):
        found.insert(0, here.index)
        following = [previous_of(graph, here, position) for position in range(len(here.inputs))]
        chain = [item for item in following if item is not None and item.op_type in ("Mul", "Add", "Pow")]
        here, steps = (chain[0] if chain and here.op_type != "Pow" else None), steps - 1
    return found


def _gate_after(graph: Graph, node: Node) -> list[int]:
    """One added, then times x and times a half in either order."""
    plus = next_of(graph, node)
    if plus is None or plus.op_type != "Add" or not any(reads_constant(graph, plus, i) for i in (0, 1)):
        return []
    gate = next_of(graph, plus)
    if gate is None or gate.op_type != "Mul":
        return []
    halved_before = _first_before(graph, gate, {"Mul"})
    found = [plus.index, gate.index]
    after = next_of(graph, gate)
    if after is not None and after.op_type == "Mul":
        found.append(after.index)
    elif halved_before is not None and any(reads_constant(graph, halved_before, i) for i in (0, 1)):
        found.insert(0, halved_before.index)
    return found


def expected_silu(graph: Graph) -> Iterator[Expected]:
    """X · sigmoid(x)."""
    for node in graph.nodes:
        product = next_of(graph, node) if node.op_type == "Sigmoid" else None
        if product is not None and product.op_type == "Mul" and node.inputs[0] in product.inputs:
            yield Expected(pattern="silu", nodes=(node.index, product.index))
