"""Named rules for nodes that the compiler's record does not name. Each rests on evidence in the record.

The strongest evidence is data flow: where an engine layer reads what another writes, nothing else computes between
them, so the ONNX nodes between those layers' nodes are done inside one of the two (or by a layer that the compiler
made on the way). Kernel names and tensor names then say which.
"""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.analysis.engine_flow import EngineFlow, kernel_ops
from trt_core.analysis.neighbours import Neighbours, Surroundings
from trt_core.domain.graph import Node

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
_EXPLAINED = LAYOUT_OPS | CAST_OPS | QDQ_OPS | frozenset(POINTWISE_TOKENS)
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


def absorb(node: Node, around: Surroundings, flow: EngineFlow) -> Absorbed | None:
    """The first rule that explains a node which no layer names; None when none does.

    `around` knows the layers before and after a node. Ops that must compute something of their own (Conv, MatMul,
    pooling, Softmax ...) are explained only when both sides lie in one and the same layer.
    """
    found = _inside_one_layer(around.of(node), flow)
    if found is not None or node.op_type not in _EXPLAINED:
        return found
    near = around.of(node, over=_EXPLAINED)
    found = (
        _written_in_place(node, near, flow)
        or _quantization(node, near, flow)
        or _between_layers(node, near, flow)
        or _at_the_border(node, near, flow)
    )
    if found is None and node.op_type in LAYOUT_OPS:
        # The compiler moves Q/DQ and casts across layout changes, so a layer's order need not be the file's.
        near = around.of(node, over=_EXPLAINED, across=QDQ_OPS | CAST_OPS)
        found = _between_layers(node, near, flow)
    return found


def _inside_one_layer(near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """Everything around the node lies in one layer: a kernel is one step, so the node is in it."""
    if len(near.before) == 1 and near.before == near.after and not near.outputs:
        evidence = f"what it reads and what reads it are in {_title(flow, near.before[0])}"
        return Absorbed(layers=near.before, rule="inside one layer", evidence=evidence)
    return None


def _written_in_place(node: Node, near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """The layers of the node's producers write the very tensor that the node would write."""
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


def _at_the_border(node: Node, near: Neighbours, flow: EngineFlow) -> Absorbed | None:
    """A layout change or cast between a layer and an input or output of the engine."""
    if node.op_type not in LAYOUT_OPS | CAST_OPS:
        return None
    last = [index for name in near.outputs for index in flow.writers_of(name)]
    first = [index for name in near.inputs for index in flow.readers_of(name)]
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
