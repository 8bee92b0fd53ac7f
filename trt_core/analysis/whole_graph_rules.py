"""Rules that explain nodes from the whole graph or record, before their neighbours are asked."""

from __future__ import annotations

from trt_core.analysis.absorption import Absorbed
from trt_core.analysis.constants import constant_tensors
from trt_core.domain.engine import EngineRecord
from trt_core.domain.graph import Graph, Node

# Inputs that say how a result is shaped, by op: their values are known as soon as the shapes of the inputs are.
_SHAPE_INPUTS: dict[str, frozenset[int]] = {
    "Reshape": frozenset({1}),
    "Expand": frozenset({1}),
    "Tile": frozenset({1}),
    "Slice": frozenset({1, 2, 3, 4}),
    "Resize": frozenset({1, 2, 3}),
    "Pad": frozenset({1, 3}),
    "Unsqueeze": frozenset({1}),
    "Squeeze": frozenset({1}),
    "ConstantOfShape": frozenset({0}),
    "Split": frozenset({1}),
    "CenterCropPad": frozenset({1}),
}
_ARITHMETIC = frozenset(
    {
        "Shape", "Size", "Gather", "Unsqueeze", "Squeeze", "Concat", "Slice", "Cast", "Add", "Sub", "Mul", "Div", "Mod",
        "Floor", "Ceil", "Min", "Max", "Neg", "Reshape", "ReduceProd", "Identity", "Where", "Equal", "Split", "Expand",
        "ConstantOfShape", "Range",
    }
)  # fmt: skip
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
_JUMPS = frozenset({"jmp", "cjmp", "trainstation"})
_FOREIGN = "{ForeignNode["


def explained_by_the_whole(graph: Graph, record: EngineRecord) -> dict[int, Absorbed]:
    """Nodes that shape arithmetic, control flow or the range of a foreign node explains, by node index."""
    return {**foreign_ranges(graph, record), **control_flow(graph, record), **shape_arithmetic(graph)}


def shape_arithmetic(graph: Graph) -> dict[int, Absorbed]:
    """Nodes whose inputs are shapes or constants and whose results are read as shapes only.

    Both halves are provable on the graph; that the compiler works them out with the shapes, and not on the data, is
    what the rule infers.
    """
    constant = constant_tensors(graph)
    from_shapes: set[str] = set(constant)
    for node in graph.nodes:
        from_inputs = node.op_type in ("Shape", "Size")
        if node.op_type in _ARITHMETIC and (from_inputs or all(name in from_shapes for name in node.inputs if name)):
            from_shapes.update(name for name in node.outputs if name)
    outputs = {spec.name for spec in graph.outputs}
    found: dict[int, Absorbed] = {}
    for node in reversed(graph.nodes):
        results = [name for name in node.outputs if name]
        if node.op_type not in _ARITHMETIC or not results or not all(name in from_shapes for name in results):
            continue
        if all(name not in outputs and _read_as_shape(graph, name, found) for name in results):
            evidence = "it depends on shapes alone, and its result is read as a shape"
            found[node.index] = Absorbed(layers=(), rule="shape arithmetic", evidence=evidence)
    return found


def _read_as_shape(graph: Graph, name: str, found: dict[int, Absorbed]) -> bool:
    readers = graph.consumers_of.get(name, ())
    return bool(readers) and all(index in found or _only_shape(graph.nodes[index], name) for index in readers)


def _only_shape(node: Node, name: str) -> bool:
    places = _SHAPE_INPUTS.get(node.op_type, frozenset())
    return all(position in places for position, read in enumerate(node.inputs) if read == name)


def control_flow(graph: Graph, record: EngineRecord) -> dict[int, Absorbed]:
    """If, Loop and Scan where the engine has jumps: its layers are then those jumps and the ones that run a body.

    Layers that run a body name nodes that the top level of the file does not have. With several such nodes the record
    does not tell whose they are; each is given all.
    """
    jumps = [layer.index for layer in record.layers if layer.kind.lower() in _JUMPS]
    nodes = [node for node in graph.nodes if node.op_type in _CONTROL_FLOW]
    if not jumps or not nodes:
        return {}
    bodies = [
        layer.index
        for layer in record.working_layers
        if layer.source_names and not any(name in graph.indices_by_name for name in layer.source_names)
    ]
    evidence = f"the engine has {len(jumps)} jumps, and {len(bodies)} layers run nodes of a body"
    found = Absorbed(layers=tuple(bodies), rule="control flow", evidence=evidence)
    return {node.index: found for node in nodes}


def foreign_ranges(graph: Graph, record: EngineRecord) -> dict[int, Absorbed]:
    """Nodes between the two that `{ForeignNode[first...last]}` names, where a layer has no other record.

    It is a range and no list: the nodes of the file's order in between are inferred, both ends are named.
    """
    found: dict[int, Absorbed] = {}
    for layer in record.working_layers:
        if any(name in graph.indices_by_name for name in layer.source_names):
            continue
        ends = _range_in(layer.name, graph)
        if ends is not None:
            evidence = f"the name of layer {layer.index} spans it"
            held = Absorbed(layers=(layer.index,), rule="range of a foreign node", evidence=evidence)
            found.update(dict.fromkeys(range(ends[0], ends[1] + 1), held))
    return found


def _range_in(name: str, graph: Graph) -> tuple[int, int] | None:
    start = name.find(_FOREIGN)
    end = name.find("]}", start)
    if start < 0 or end < 0:
        return None
    inner = name[start + len(_FOREIGN) : end]
    cut = inner.find("...")
    while cut >= 0:  # a node's name may hold dots of its own
        first, last = graph.indices_by_name.get(inner[:cut]), graph.indices_by_name.get(inner[cut + 3 :])
        if first and last:
            return (min(first[0], last[-1]), max(first[0], last[-1]))
        cut = inner.find("...", cut + 1)
    return None
