"""Expected patterns against what the engine has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trt_core.analysis.expected import COMPUTING, QDQ, Expected, previous_of
from trt_core.domain.fusion import MappedLayer, NodeFate, NodeState, PatternMatch
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Precision

Layers = Mapping[int, MappedLayer]
_MATRIX_KINDS = ("correlation", "gemm", "deconv", "runtime_fusion", "caskconv", "caskgemm", "caskdeconv", "convolution")
_MATRIX_NAMES = ("_gemm", "Fc", "Corr", "Gemm")


def judge(expected: Expected, fates: Sequence[NodeFate], layers: Layers) -> PatternMatch:
    """Fused when one layer holds every node that was not folded; attention also needs a `_gemm_mha` kernel."""
    counted = [fates[index] for index in expected.nodes if fates[index].op_type not in QDQ]
    lost = [fate for fate in counted if fate.state is NodeState.UNEXPLAINED]
    held = {fate.index: _main_layers(fate, layers) for fate in counted if fate.state is not NodeState.FOLDED}
    common = sorted(set.intersection(*map(set, held.values()))) if held and not lost else []
    if expected.pattern == "attention":
        common = [index for index in common if "gemm_mha" in f"{layers[index].name} {layers[index].kernel}".lower()]
    split = expected.pattern == "layernorm" and len(counted) == 1 and len(common) > 1
    fused = bool(common) and not split
    reason = "" if fused else _reason(expected, counted, held, lost, layers)
    found = tuple(common) if fused else tuple(sorted({index for item in held.values() for index in item}))
    return PatternMatch(pattern=expected.pattern, nodes=expected.nodes, fused=fused, layers=found, reason=reason)


def without_claimed_tails(
    expected: Sequence[Expected], fates: Sequence[NodeFate], layers: Layers
) -> tuple[Expected, ...]:
    """Patterns in which no addition is expected of two producers: a fused one keeps it, else the later one."""
    chains = [item for item in expected if "add" in item.pattern.split("+")]
    keeper: dict[int, Expected] = {}
    for item in sorted(chains, key=lambda chain: (judge(chain, fates, layers).fused, chain.nodes[0])):
        keeper.update(dict.fromkeys(item.nodes[1:], item))
    found = []
    for item in expected:
        nodes = tuple(index for index in item.nodes if index not in keeper or item is keeper[index])
        if nodes == item.nodes:
            found.append(item)
        elif item in chains and len(nodes) > 1:
            found.append(Expected(pattern="+".join(item.pattern.split("+")[: len(nodes)]), nodes=nodes))
        elif item not in chains:
            found.append(item)
    return tuple(found)


def _main_layers(fate: NodeFate, layers: Layers) -> tuple[int, ...]:
    """The layers that do a node's main work: a quantized convolution is named by its epilogue's kernel as well."""
    known = tuple(index for index in fate.layers if index in layers)
    if fate.op_type not in COMPUTING or len(known) < 2:
        return known
    main = tuple(
        index
        for index in known
        if layers[index].kind.lower().startswith(_MATRIX_KINDS)
        or any(part in layers[index].name for part in _MATRIX_NAMES)
    )
    return main or known


def _reason(
    expected: Expected,
    counted: Sequence[NodeFate],
    held: Mapping[int, tuple[int, ...]],
    lost: Sequence[NodeFate],
    layers: Layers,
) -> str:
    if lost:
        return f"{len(lost)} of its nodes are unexplained ({lost[0].op_type} first)."
    where = "; ".join(f"{fate.op_type} in {_list(held[fate.index])}" for fate in counted if held.get(fate.index))
    cause = _cause(expected, held, layers)
    return " ".join(part for part in (f"Spread over several layers: {where}." if where else "", cause) if part)


def _cause(expected: Expected, held: Mapping[int, tuple[int, ...]], layers: Layers) -> str:
    used = {layers[index].precision for item in held.values() for index in item if index in layers}
    if expected.pattern == "attention":
        if used <= {Precision.FP32, Precision.TF32, Precision.UNKNOWN}:
            return "TensorRT-RTX fuses attention in FP16, BF16, INT8 and FP8, not in FP32."
        return "No kernel named `_gemm_mha` holds both products and the softmax."
    if expected.pattern.startswith("gemm") and any("+" in layers[i].name for i in held.get(expected.nodes[0], ())):
        return "One kernel computes several products of the same tensor; what follows each runs after it."
    if any(item.is_quantized for item in used):
        return "A quantized kernel that writes a floating dtype leaves its epilogue to another kernel."
    return ""


def _list(indices: Sequence[int]) -> str:
    return ("layer " if len(indices) == 1 else "layers ") + ", ".join(map(str, indices))


def match_quantized(
    variant: Graph,
    held: Mapping[int, tuple[int, ...]],
    sources: Mapping[int, tuple[int, ...]],
    layers: Layers,
) -> tuple[PatternMatch, ...]:
    """For every Conv, Gemm and MatMul of the built file between Q/DQ pairs: does its kernel compute in that dtype?

    `held` gives the layers and `sources` the original nodes of a variant's node, by index.
    """
    found = []
    for node in variant.nodes:
        feeding = [previous_of(variant, node, position) for position in (0, 1)]
        if node.op_type not in COMPUTING or any(n is None or n.op_type != "DequantizeLinear" for n in feeding):
            continue
        fate = NodeFate(
            index=node.index,
            name=node.name,
            op_type=node.op_type,
            state=NodeState.MAPPED,
            layers=held.get(node.index, ()),
        )
        main = _main_layers(fate, layers)
        fused = any(layers[index].precision.is_quantized for index in main)
        precisions = sorted({layers[index].precision.value for index in main})
        reason = f"Its kernel computes in {', '.join(precisions)}." if main else "No layer is known to hold it."
        found.append(
            PatternMatch(
                pattern="q/dq",
                nodes=sources.get(node.index, ()),
                fused=fused,
                layers=main,
                reason="" if fused else reason,
            )
        )
    return tuple(found)
