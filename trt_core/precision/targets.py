"""Decide which nodes are quantized, along which axis, and say why the others are not."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import Precision
from trt_core.precision.attributes import attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.formats import FLOAT, LOW_FLOATS
from trt_core.precision.inference import TensorTypes

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
# INT8 convolution kernels read channels in packs; a group with fewer input channels is padded, or runs in float.
SMALLEST_GROUP = 16
_ATTENTION = "both operands of MatMul are activations (attention)"
BLOCK_SIZES = (128, 64)  # the blocks of INT4 weights that TensorRT documents


@dataclass(frozen=True, kw_only=True)
class Target:
    """A node to quantize: its activation, its weights, and the axis of the weights' output channels."""

    node: DraftNode
    activation: str
    weight: str
    channel_axis: int
    block: int = 0  # INT4: elements along K that share a scale


@dataclass(frozen=True, kw_only=True)
class QuantizationPlan:
    """What is quantized; `skips` are inputs of an Add or Sum whose other input comes from a convolution."""

    targets: tuple[Target, ...]
    skips: tuple[tuple[DraftNode, str], ...]
    refused: tuple[tuple[DraftNode, str], ...]  # with the reason
    products: tuple[DraftNode, ...] = ()  # MatMuls of two activations, where the recipe asks for them

    @property
    def activations(self) -> tuple[str, ...]:
        """Tensors whose ranges are needed, in order of first use."""
        names = [target.activation for target in self.targets] + [name for _, name in self.skips]
        return tuple(dict.fromkeys((*names, *(name for node in self.products for name in node.proto.input))))

    def findings(self, precision: Precision) -> tuple[Finding, ...]:
        """One note for each reason not to quantize."""
        by_reason: dict[str, list[str]] = {}
        for node, reason in self.refused:
            by_reason.setdefault(reason, []).append(node.proto.name)
        return tuple(
            Finding(
                rule="not-quantized",
                severity=Severity.NOTE,
                message=f"{len(names)} {'node is' if len(names) == 1 else 'nodes are'} not quantized: {reason}.",
                nodes=tuple(names),
                evidence=f"requested {precision.value}",
            )
            for reason, names in by_reason.items()
        )


def plan_quantization(
    draft: Draft,
    types: TensorTypes,
    precision: Precision,
    kept: frozenset[int] = frozenset(),
    *,
    attention: bool = False,
) -> QuantizationPlan:
    """Choose the nodes to quantize; `kept` are original indices of nodes that a rule keeps in floating point.

    Rules, after NVIDIA's documentation on explicit quantization: inputs of convolutions and GEMMs are quantized, their
    outputs are not; weights per output channel; the skip input of an Add after a convolution is quantized too, because
    its precision decides that of the fused output. A MatMul of two activations stays in floating point unless
    `attention` asks for it: FP16 attention runs as one fused kernel, which needs no ranges of softmax outputs; the
    quantized one (INT8 and FP8) needs both inputs of both products quantized.
    """
    targets, products, refused, held = [], [], [], []
    for node in draft.nodes:
        if not node.is_standard or node.proto.op_type not in WEIGHTED:
            continue
        reason = _refusal(draft, types, node, precision)
        if kept.intersection(node.sources):
            refused.append((node, "a rule keeps it"))
            held += [] if reason else [node]
        elif reason == _ATTENTION and attention and _is_product(types, node, precision):
            products.append(node)
        elif reason:
            refused.append((node, reason))
        else:
            targets.append(_target(draft, node, precision))
    skips = () if precision is Precision.INT4 else _skips(draft, types, [target.node for target in targets], held, kept)
    return QuantizationPlan(targets=tuple(targets), skips=skips, refused=tuple(refused), products=tuple(products))


def _is_product(types: TensorTypes, node: DraftNode, precision: Precision) -> bool:
    return precision is not Precision.INT4 and all(types.is_float32(name) for name in node.proto.input)


def _refusal(draft: Draft, types: TensorTypes, node: DraftNode, precision: Precision) -> str:
    proto = node.proto
    weight = draft.weights.get(proto.input[1])
    if weight is None:
        if proto.input[0] in draft.weights:
            return f"the constant is the first operand of {proto.op_type}"
        if proto.op_type == "MatMul":
            return _ATTENTION
        return "the weights are not constant, or are quantized already"
    if weight.elem_type in LOW_FLOATS:
        return "the model is in low precision already: quantize the FP32 model"
    if weight.elem_type != FLOAT or not types.is_float32(proto.input[0]):
        return "activation or weights are not FP32"
    if proto.input[0] in draft.weights:
        return "both operands are constant"
    if proto.op_type == "MatMul" and len(weight.dims) != 2:
        return f"the weights of MatMul have {len(weight.dims)} dimensions; 2 are needed"
    if proto.op_type == "Gemm" and attribute(proto, "transA", 0):
        return "Gemm transposes its activation"
    if precision is Precision.INT4:
        return _int4_refusal(proto.op_type, weight.dims[_k_axis(node)] if len(weight.dims) == 2 else 0)
    groups = attribute(proto, "group", 1) if proto.op_type in _CONVOLUTIONS else 1
    if groups > 1:
        inside = weight.dims[1] if proto.op_type == "Conv" else weight.dims[0] // groups
        if inside < SMALLEST_GROUP:
            return f"grouped convolution with fewer than {SMALLEST_GROUP} input channels a group (depthwise)"
    return ""


def _int4_refusal(op_type: str, k: int) -> str:
    if op_type in _CONVOLUTIONS:
        return "INT4 weights are for GEMMs only"
    if not any(k % block == 0 for block in BLOCK_SIZES):
        return "K is not a multiple of 64, the smallest block"
    return ""


def _k_axis(node: DraftNode) -> int:
    return 1 - _channel_axis(node)


def _channel_axis(node: DraftNode) -> int:
    """Axis of output channels: Conv 0, ConvTranspose 1, MatMul and Gemm [K, N] 1, Gemm [N, K] (transB) 0."""
    op_type = node.proto.op_type
    if op_type == "Gemm":
        return 0 if attribute(node.proto, "transB", 0) else 1
    return 0 if op_type == "Conv" else 1


def _target(draft: Draft, node: DraftNode, precision: Precision) -> Target:
    weight = draft.weights[node.proto.input[1]]
    block = 0
    if precision is Precision.INT4:
        block = next(size for size in BLOCK_SIZES if weight.dims[_k_axis(node)] % size == 0)
    return Target(
        node=node,
        activation=node.proto.input[0],
        weight=node.proto.input[1],
        channel_axis=_channel_axis(node),
        block=block,
    )


def _skips(
    draft: Draft, types: TensorTypes, quantized: list[DraftNode], held: list[DraftNode], kept: frozenset[int]
) -> tuple[tuple[DraftNode, str], ...]:
    """`held` are those that rules alone keep: which branch is the skip does not depend on rules."""
    lowered = {node.proto.output[0] for node in quantized if node.proto.op_type in _CONVOLUTIONS}
    convolutions = lowered | {node.proto.output[0] for node in held if node.proto.op_type in _CONVOLUTIONS}
    depths = _depths(draft)
    found = []
    for node in draft.nodes:
        names = list(node.proto.input)
        if node.proto.op_type not in ("Add", "Sum") or len(names) != 2 or not node.is_standard:
            continue
        if kept.intersection(node.sources):
            continue
        if any(name in draft.weights or not types.is_float32(name) for name in names):
            continue
        if types.shapes.get(names[0]) != types.shapes.get(names[1]) or not convolutions & set(names):
            continue
        # The main branch is the deeper one; with a projection on the skip path, both come from a convolution.
        candidates = sorted(names, key=lambda name: depths.get(name, 0))
        skip, main = candidates if candidates[1] in convolutions else reversed(candidates)
        # Beside a convolution in floating point nothing is gained, and the calibration has no range for that branch.
        if main in lowered:
            found.append((node, skip))
    return tuple(found)


def _depths(draft: Draft) -> dict[str, int]:
    depths: dict[str, int] = {}
    for node in draft.nodes:
        depth = 1 + max((depths.get(name, 0) for name in node.proto.input), default=0)
        depths.update((name, depth) for name in node.proto.output)
    return depths
