"""The facts that a box of a graph view shows, and the cutting of names that come out of a model."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from trt_core.analysis.graph_links import Group
from trt_core.domain.graph import Graph, Node
from trt_core.domain.tensors import TensorSpec

LONGEST_LABEL = 160

_KEYS = {
    "compute": "Conv ConvTranspose ConvInteger QLinearConv Gemm MatMul MatMulInteger QLinearMatMul Einsum "
    "LSTM GRU RNN Attention",
    "norm": "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization LRN LpNormalization "
    "RMSNormalization SimplifiedLayerNormalization MeanVarianceNormalization",
    "activation": "Relu LeakyRelu PRelu Sigmoid Tanh Elu Selu Gelu Softmax LogSoftmax HardSigmoid HardSwish Clip Erf "
    "Softplus Mish Celu Swish Dropout",
    "pool": "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool ReduceMean ReduceSum ReduceMax ReduceMin "
    "ReduceProd ReduceL2 ArgMax ArgMin TopK",
    "move": "Reshape Transpose Concat Split Slice Gather GatherND GatherElements Squeeze Unsqueeze Flatten Expand Pad "
    "Tile Identity Shape Resize Upsample DepthToSpace SpaceToDepth ScatterND ScatterElements Cast",
    "quantize": "QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
    "constant": "Constant ConstantOfShape Range",
    "control": "If Loop Scan",
    "elementwise": "Add Sub Mul Div Sum Pow Sqrt Exp Log Neg Abs Min Max Mean Where Equal Less Greater And Or Not "
    "Reciprocal Floor Ceil Round Sign Mod",
}
OP_KEYS: dict[str, str] = {op: key for key, ops in _KEYS.items() for op in ops.split()}


@dataclass(frozen=True, kw_only=True)
class GraphBox:
    """One box of a view: a node, a group of nodes (open or closed), or a graph input or output.

    `members` are node indices; `macs_share` is the part of the model's multiply-accumulates, None where none are
    known. `detail` is the name, `short` its telling end. `shares` counts member nodes by colour key, most frequent
    first; `colour_key` is the first of them, or empty for a group keyed by ops, where the most frequent kind of op
    says little. Texts are cut and free of control characters, but still come out of a model: never HTML.
    """

    id: str
    label: str
    detail: str
    short: str
    kind: str
    op_types: tuple[tuple[str, int], ...]
    node_count: int
    macs_share: float | None
    members: tuple[int, ...]
    colour_key: str
    shares: tuple[tuple[str, int], ...]
    parent: str
    depth: int
    is_expandable: bool
    is_expanded: bool
    x: float
    y: float
    width: float
    height: float


def clipped(text: str, length: int = LONGEST_LABEL) -> str:
    """Text with control and direction characters replaced, cut in the middle to at most `length` characters."""
    if len(text) > length:
        head = (length - 1) // 2
        text = text[:head] + "…" + text[len(text) - (length - 1 - head) :]
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)


def short_name(name: str, op_type: str) -> str:
    """The end of a scoped name that tells it from its neighbours: `norm1` of `/encoder/norm1/LayerNormalization`."""
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and parts[-1].startswith(op_type):
        rest = parts[-1][len(op_type) :].strip("_")
        return clipped(f"{parts[-2]} {rest}".strip())
    return clipped(parts[-1] if parts else name)


def terminal(box_id: str, spec: TensorSpec, count: int, place: tuple[float, float, float, float]) -> GraphBox:
    """The box of a graph input or output, or of `count` of them."""
    kind = box_id.partition(":")[0]
    label = clipped(spec.name) if count == 1 else f"{count} {kind}s"
    detail = clipped(f"{spec.shape_text()} {spec.dtype}") if count == 1 else f"first: {clipped(spec.name)}"
    x, y, width, height = place
    return GraphBox(
        id=box_id,
        label=label,
        detail=detail,
        short=detail,
        kind=kind,
        op_types=(),
        node_count=0,
        macs_share=None,
        members=(),
        colour_key="",
        shares=(),
        parent="",
        depth=0,
        is_expandable=False,
        is_expanded=False,
        x=round(x, 1),
        y=round(y, 1),
        width=width,
        height=height,
    )


class Facts:
    """What is counted once a view: colour keys and multiply-accumulates."""

    def __init__(self, graph: Graph, key_of: Mapping[int, str] | None) -> None:
        self.graph = graph
        self.key_of = key_of
        self.total_macs = graph.macs

    def box(
        self, group: Group, *, place: tuple[float, float, float, float], depth: int, parent: str, is_expanded: bool
    ) -> GraphBox:
        """The box of a group, at a place (x, y, width, height)."""
        nodes = [self.graph.nodes[at] for at in group.members]
        main = nodes[-1] if group.kind in ("node", "op") else None
        keys = Counter(self._key(node) for node in ([main] if main else nodes))
        if self.key_of is None and len(keys) > 1:
            keys.pop("constant", None)  # weights made by nodes would outnumber what computes
        shares = tuple(sorted(keys.items(), key=lambda pair: (-pair[1], pair[0])))
        known = [node.macs for node in nodes if node.macs is not None]
        x, y, width, height = place
        return GraphBox(
            id=group.id,
            label=clipped(group.label),
            detail=self._detail(group, main),
            short=short_name(main.name, main.op_type) if main else "",
            kind=group.kind,
            op_types=tuple(Counter(map(_op, nodes)).most_common()),
            node_count=len(nodes),
            macs_share=sum(known) / self.total_macs if known and self.total_macs else None,
            members=group.members,
            colour_key=shares[0][0] if shares and (main or self.key_of is not None) else "",
            shares=shares,
            parent=parent,
            depth=depth,
            is_expandable=bool(group.children),
            is_expanded=is_expanded,
            x=round(x, 1),
            y=round(y, 1),
            width=round(width, 1),
            height=round(height, 1),
        )

    def _key(self, node: Node) -> str:
        if self.key_of is not None:
            return self.key_of.get(node.index, "unknown")
        return OP_KEYS.get(node.op_type, "other") if not node.domain else "other"

    @staticmethod
    def _detail(group: Group, main: Node | None) -> str:
        if main is not None:
            return clipped(main.name)
        return f"{len(group.members)} node" + ("s" if len(group.members) != 1 else "")


def _op(node: Node) -> str:
    return clipped(f"{node.domain}::{node.op_type}" if node.domain else node.op_type, 60)
