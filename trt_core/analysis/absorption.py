"""Named rules for nodes that the compiler's record does not name. Each rests on evidence in the record.

The strongest evidence is data flow: where an engine layer reads what another writes, nothing else computes between
them, so the ONNX nodes between those layers' nodes are done inside one of the two (or by a layer that the compiler
made on the way). Kernel names and tensor names then say which.
"""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.analysis.engine_flow import EngineFlow, kernel_ops
from trt_core.domain.graph import Graph, Node

# Ops that move or relabel data; `Dropout` is the identity at inference.
LAYOUT_OPS = frozenset(
    {
        "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Concat", "Split", "Slice",
        "Expand", "DepthToSpace", "SpaceToDepth", "Gather", "Tile", "Pad",
    }
)  # fmt: skip
CAST_OPS = frozenset({"Cast", "CastLike"})
QDQ_OPS = frozenset({"QuantizeLinear", "DequantizeLinear"})
# What a generated kernel's name must hold for an op to be in it; first four letters, as the compiler shortens.
POINTWISE_TOKENS: dict[str, tuple[str, ...]] = {
    "BatchNormalization": ("Mul", "Add"), "Relu": ("Relu",), "LeakyRelu": (), "PRelu": (), "Elu": (), "Selu": (),
    "Clip": (), "Sigmoid": ("Sigm",), "Tanh": ("Tanh",), "HardSigmoid": (), "HardSwish": (), "Softplus": (), "Gelu": (),
    "Erf": ("Erf",), "Exp": ("Exp",), "Log": ("Log",), "Sqrt": ("Sqrt",), "Reciprocal": (), "Neg": (), "Abs": (),
    "Pow": (), "Add": ("Add",), "Sum": ("Add",), "Sub": ("Sub",), "Mul": ("Mul",), "Div": ("Div",), "Min": ("Min",),
    "Max": ("Max",), "Where": (), "Not": (), "Equal": (), "Greater": (), "Less": (), "And": (), "Or": (), "Mish": (),
    "Swish": (),
}  # fmt: skip
# Kernels the compiler makes of itself only move data when their names hold nothing else.
_MOVING = frozenset({"Move", "Resh", "Tran", "Conc", "Slic", "Repl", "Cast", "Pad"})


@dataclass(frozen=True, kw_only=True)
class Absorbed:
    """The layers that hold a node which the record does not name, the rule that says so, and what the rule saw."""

    layers: tuple[int, ...]
    rule: str
    evidence: str

    @property
    def by(self) -> str:
        """One line: the rule, a colon, the evidence."""
        return f"{self.rule}: {self.evidence}"


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest nodes that layers name, walking over nodes without one: layer indices on each side.

    `from_input` and `to_output` tell that a way ends at the graph's border.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    from_input: bool
    to_output: bool


def absorb(node: Node, graph: Graph, held: dict[int, tuple[int, ...]], flow: EngineFlow) -> Absorbed | None:
    """The first rule that explains a node which no layer names; None when none does.

    `held` gives the layers that name a node, by node index. Control flow and ops that must compute something of their
    own (Conv, MatMul, pooling, Softmax ...) are explained only when both sides lie in one and the same layer.
    """
    near = neighbours(node, graph, held)
    found = (
        _inside_one_layer(near, flow)
        or _written_in_place(node, near, flow)
        or _quantization(node, near, flow)
        or _between_layers(node, near, flow)
        or _at_the_border(node, near, graph, flow)
    )
    if found is None and node.op_type in LAYOUT_OPS:
        # The compiler moves Q/DQ and casts across layout changes, so a layer's order need not be the file's.
        found = _between_layers(node, neighbours(node, graph, held, across=QDQ_OPS | CAST_OPS), flow)
    return found


def neighbours(
    node: Node, graph: Graph, held: dict[int, tuple[int, ...]], *, across: frozenset[str] = frozenset()
) -> Neighbours:
    """Walk from a node against and along the data until nodes that layers name; on past those with an op `across`."""
    before, from_input = _walk(node, graph, held, across, forward=False)
    after, to_output = _walk(node, graph, held, across, forward=True)
    return Neighbours(before=before, after=after, from_input=from_input, to_output=to_output)


def _walk(
    node: Node, graph: Graph, held: dict[int, tuple[int, ...]], across: frozenset[str], *, forward: bool
) -> tuple[tuple[int, ...], bool]:
    found: dict[int, None] = {}
    border = False
    ends = {spec.name for spec in (graph.outputs if forward else graph.inputs)}
    waiting, seen = [node], {node.index}
    while waiting:
        here = waiting.pop()
        for name in here.outputs if forward else here.inputs:
            border = border or name in ends
            nexts = graph.consumers_of.get(name, ()) if forward else _producers(graph, name)
            for index in nexts:
                if index in seen:
                    continue
                seen.add(index)
                found.update(dict.fromkeys(held.get(index, ())))
                if not held.get(index) or graph.nodes[index].op_type in across:
                    waiting.append(graph.nodes[index])
    return tuple(found), border


def _producers(graph: Graph, name: str) -> tuple[int, ...]:
    return (graph.producer_of[name],) if name in graph.producer_of else ()


def _inside_one_layer(near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """Everything around the node lies in one layer: a kernel is one step, so the node is in it."""
    if len(near.before) == 1 and near.before == near.after and not near.to_output:
        evidence = f"what it reads and what reads it are in {_title(flow, near.before[0])}"
        return Absorbed(layers=near.before, rule="inside one layer", evidence=evidence)
    return None


def _written_in_place(node: Node, near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """The layers of the node's producers write the very tensor that the node would write."""
    if node.op_type not in LAYOUT_OPS | CAST_OPS | set(POINTWISE_TOKENS):
        return None
    writers = tuple(index for index in flow.writers_of(node.outputs[0]) if index in near.before)
    if not writers:
        return None
    rule = "epilogue" if node.op_type in POINTWISE_TOKENS else f"{_kind(node)} absorbed by neighbour"
    return Absorbed(layers=writers, rule=rule, evidence=f"{_title(flow, writers[0])} writes its output tensor")


def _quantization(node: Node, near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """Q/DQ next to a layer that reads or writes the quantized dtype."""
    if node.op_type not in QDQ_OPS:
        return None
    for index in (*near.after, *near.before):
        layer = flow.layers[index]
        if any(tensor.precision.is_quantized for tensor in (*layer.inputs, *layer.outputs, *layer.constants)):
            evidence = f"{_title(flow, index)} handles the quantized dtype"
            return Absorbed(layers=(index,), rule="Q/DQ absorbed by its quantized layer", evidence=evidence)
    return None


def _between_layers(node: Node, near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """Some layer before hands its data directly to some layer after."""
    if node.op_type not in LAYOUT_OPS | CAST_OPS | QDQ_OPS | set(POINTWISE_TOKENS):
        return None
    place = _place_pointwise if node.op_type in POINTWISE_TOKENS else _place_layout
    for writer in near.before:
        for reader in near.after:
            way = flow.hands_to(writer, reader)
            if way is not None and (found := place(node, writer, reader, way, flow)):
                return found
    return None


def _place_layout(node: Node, writer: int, reader: int, way: tuple[int, ...], flow: EngineFlow) -> Absorbed:
    if way:
        evidence = f"{_title(flow, way[0])}, which the compiler made, stands in its place"
        return Absorbed(layers=way, rule=f"{_kind(node)} of the compiler's own", evidence=evidence)
    evidence = f"{_title(flow, reader)} reads what {_title(flow, writer)} writes"
    layers = tuple(dict.fromkeys((writer, reader)))
    return Absorbed(layers=layers, rule=f"{_kind(node)} absorbed by neighbour", evidence=evidence)


def _place_pointwise(node: Node, writer: int, reader: int, way: tuple[int, ...], flow: EngineFlow) -> Absorbed | None:
    tokens = POINTWISE_TOKENS[node.op_type]
    for index, rule in ((writer, "epilogue"), *((step, "pointwise kernel") for step in way), (reader, "prologue")):
        if tokens and set(tokens) <= set(kernel_ops(flow.layers[index])):
            evidence = f"the kernel name of {_title(flow, index)} holds {' and '.join(tokens)}"
            return Absorbed(layers=(index,), rule=rule, evidence=evidence)
    if any(not set(kernel_ops(flow.layers[step])) <= _MOVING for step in way):
        return None
    evidence = f"{_title(flow, reader)} reads what {_title(flow, writer)} writes"
    return Absorbed(layers=tuple(dict.fromkeys((writer, reader))), rule="fused with neighbours", evidence=evidence)


def _at_the_border(node: Node, near: Neighbours, graph: Graph, flow: EngineFlow) -> Absorbed | None:
    """A layout change or cast between a layer and an input or output of the engine."""
    if node.op_type not in LAYOUT_OPS | CAST_OPS:
        return None
    last = [index for spec in graph.outputs for index in flow.writers_of(spec.name)] if near.to_output else []
    first = [index for spec in graph.inputs for index in flow.readers_of(spec.name)] if near.from_input else []
    ways = [(writer, reader) for writer in near.before for reader in last]
    ways += [(writer, reader) for writer in first for reader in near.after]
    for writer, reader in ways:
        way = flow.hands_to(writer, reader)
        if way is not None:
            layers = tuple(dict.fromkeys((writer, *way, reader)))
            evidence = f"nothing else lies between {_title(flow, reader)} and the engine's border"
            return Absorbed(layers=layers, rule=f"{_kind(node)} at the engine's border", evidence=evidence)
    return None


def _kind(node: Node) -> str:
    if node.op_type in CAST_OPS:
        return "cast"
    return "Q/DQ" if node.op_type in QDQ_OPS else "layout change"


def _title(flow: EngineFlow, index: int) -> str:
    name = flow.layers[index].name
    return f"layer {index} ({name if len(name) <= 60 else name[:40] + ' … ' + name[-16:]})"
