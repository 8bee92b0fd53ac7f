"""Choose FP16, BF16 or FP32 for each node.

Our own choice rather than a converter's: onnxconverter-common clamps weights beyond 10,000 by default and refuses a
second conversion, the ONNX Runtime one clamps at 65,504 in silence, and neither says which original node a cast serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trt_core.domain.findings import Finding, Severity
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.attributes import attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.formats import ELEM_NAMES, FLOAT, FLOAT16, to_elem_type
from trt_core.precision.inference import TensorTypes
from trt_core.precision.slots import low_slots
from trt_core.precision.weights import Weight, made

# Sizes, positions and masks are counted in integers and computed on in floating point: FP16 counts to 2,048 only.
_COUNTING = frozenset(
    {
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Floor",
        "Ceil",
        "Round",
        "Sqrt",
        "Pow",
        "Neg",
        "Abs",
        "Min",
        "Max",
        "Reciprocal",
        "Mod",
    }
    | {"Concat", "Unsqueeze", "Squeeze", "Reshape", "Slice", "Gather", "Cast", "Expand", "Where", "Range", "Transpose"}
)
_INTEGERS = frozenset({6, 7, 9, 12, 13})  # int32, int64, bool, uint32, uint64
_OWN_DTYPE = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "EyeLike", "Bernoulli"}
)
# What turns a vanished epsilon into an infinity one node further on.
_AFTER_EPSILON = frozenset({"Sqrt", "Reciprocal", "Div", "Pow", "Log"})


@dataclass(kw_only=True)
class Conversions:
    """Weights that were converted for one variant, for the next of the same model: held by object, not by name."""

    held: dict[tuple[int, int], tuple[Weight, Weight, str]] = field(default_factory=dict)

    def of(self, name: str, weight: Weight, elem_type: int) -> tuple[Weight, str]:
        """The converted weight, and why it cannot be used ("" where it can)."""
        key = id(weight), elem_type
        if key not in self.held:
            # The weight is held with its conversion, so that no other object can take over its identity.
            self.held[key] = (weight, *_converted(name, weight, elem_type))
        return self.held[key][1:]


@dataclass(kw_only=True)
class FloatChoice:
    """What was chosen, and the weights that are converted already, by name and element type."""

    findings: list[Finding] = field(default_factory=list)
    kept: list[DraftNode] = field(default_factory=list)
    converted: dict[tuple[str, int], Weight] = field(default_factory=dict)


def choose_float_types(
    draft: Draft,
    types: TensorTypes,
    elem_type: int,
    rules: Mapping[int, int],
    fixed: frozenset[int],
    *,
    conversions: Conversions | None = None,
) -> FloatChoice:
    """Set `elem_type` of every node. `rules` gives one by original index; nodes with an id in `fixed` stay FP32."""
    known = conversions or Conversions()
    choice = FloatChoice()
    counting = _counting_tensors(draft, types)
    reasons: dict[str, list[str]] = {}
    for node in draft.nodes:
        if not _touches_float(node, types):
            continue
        wanted = next((rules[index] for index in node.sources if index in rules and not node.inserted), elem_type)
        counts = _counts(node, types, counting)
        reason = "" if wanted == FLOAT else _reason_for_float32(draft, node, wanted, counts)
        if id(node) in fixed or wanted == FLOAT or reason:
            node.elem_type = FLOAT
        else:
            node.elem_type = wanted
            reason = _convert_weights(draft, node, types, choice, known)
            node.elem_type = FLOAT if reason else wanted
        if reason:
            reasons.setdefault(reason, []).append(node.proto.name)
        if node.elem_type == FLOAT and not node.inserted:
            choice.kept.append(node)
    _keep_after_epsilon(draft, choice)
    choice.findings.extend(_finding(reason, names, elem_type) for reason, names in reasons.items())
    return choice


def _touches_float(node: DraftNode, types: TensorTypes) -> bool:
    return any(types.is_float32(name) for name in (*node.proto.input, *node.proto.output) if name)


def _reason_for_float32(draft: Draft, node: DraftNode, elem_type: int, counts: bool) -> str:
    proto = node.proto
    if not node.is_standard:
        return f"it is an operator of the domain {proto.domain}, whose types are not known"
    if any(True for _ in subgraphs(proto)):
        return "its body is a graph of its own"
    if proto.op_type in _OWN_DTYPE:
        return f"{proto.op_type} makes values of a dtype of its own"
    if counts:
        return "it computes sizes, positions or masks, which low precision would blur"
    if proto.op_type == "Constant" and attribute(proto, "value", None) is None:
        return "its value is an FP32 attribute"
    inputs, outputs = low_slots(proto, draft.opset, elem_type)
    if not any(inputs) and not any(outputs):
        return f"{proto.op_type} has no {ELEM_NAMES[elem_type]} type in ONNX opset {draft.opset}"
    return ""


def _counts(node: DraftNode, types: TensorTypes, counting: frozenset[str]) -> bool:
    """True when the node makes a counted value, or turns counted values into integers or conditions."""
    if counting & set(node.proto.output):
        return True
    read = {name for name in node.proto.input if types.is_float32(name)}
    return bool(read & counting) and not any(types.is_float32(name) for name in node.proto.output)


def _counting_tensors(draft: Draft, types: TensorTypes) -> frozenset[str]:
    """Floating tensors that come from integers by arithmetic alone."""
    found: set[str] = set()
    for node in draft.nodes:
        proto = node.proto
        if not node.is_standard or proto.op_type not in _COUNTING:
            continue
        data = [name for name in proto.input if name and name not in draft.weights]
        if proto.op_type == "Cast":
            starts = types.elem_types.get(proto.input[0]) in _INTEGERS or proto.input[0] in found
        else:
            floating = [name for name in data if types.is_float32(name)]
            starts = bool(floating) and found.issuperset(floating)
        if starts:
            found.update(name for name in proto.output if types.is_float32(name))
    return frozenset(found)


def _convert_weights(draft: Draft, node: DraftNode, types: TensorTypes, choice: FloatChoice, known: Conversions) -> str:
    """Convert the weights that a node reads in low precision; the reason, where they do not survive it."""
    inputs, _ = low_slots(node.proto, draft.opset, node.elem_type)
    for name, is_low in zip(node.proto.input, inputs, strict=True):
        weight = draft.weights.get(name)
        if weight is None or not is_low or not types.is_float32(name) or (name, node.elem_type) in choice.converted:
            continue
        low, reason = known.of(name, weight, node.elem_type)
        if reason:
            return reason
        choice.converted[name, node.elem_type] = low
    return ""


def _converted(name: str, weight: Weight, elem_type: int) -> tuple[Weight, str]:
    values = weight.load()
    low = to_elem_type(values, elem_type)
    reason = ""
    if elem_type == FLOAT16:
        infinite = np.isinf(low)
        if infinite.any() and np.isfinite(values[infinite]).any():
            reason = f"the initializer {name} has values beyond 65504"
        elif not low.any() and values.any():
            reason = f"every value of the initializer {name} would become zero"
    return made(low, elem_type), reason


def _keep_after_epsilon(draft: Draft, choice: FloatChoice) -> None:
    """Where an epsilon is kept in FP32, so is the root or division that it protects."""
    guarded = {name for node in choice.kept if node.proto.op_type in ("Add", "Max") for name in node.proto.output}
    kept = {id(node) for node in choice.kept}
    for node in draft.nodes:
        if node.proto.op_type in _AFTER_EPSILON and guarded & set(node.proto.input):
            guarded.update(node.proto.output)
            node.elem_type = FLOAT
            if id(node) not in kept:
                choice.kept.append(node)


def _finding(reason: str, names: list[str], elem_type: int) -> Finding:
    values_lost = "initializer" in reason
    return Finding(
        rule="weights-outside-fp16" if values_lost else "kept-in-fp32",
        severity=Severity.WARNING if values_lost else Severity.NOTE,
        message=f"{len(names)} {'node stays' if len(names) == 1 else 'nodes stay'} in FP32: {reason}.",
        remedy="Use BF16, which has the range of FP32, or rescale the weights." if values_lost else "",
        nodes=tuple(names),
        evidence=f"requested {ELEM_NAMES[elem_type]}",
    )
