"""A model in another precision, as ONNX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import CalibrationMethod, Precision, Provenance, Recipe, TensorRange
from trt_core.errors import InvalidData, NotFound
from trt_core.onnx_graph.naming import node_name
from trt_core.precision.casts import apply_float_types
from trt_core.precision.draft import Draft, DraftNode, read_draft
from trt_core.precision.float_types import Conversions, choose_float_types
from trt_core.precision.formats import ELEM_TYPES, FLOAT, symmetric_scale
from trt_core.precision.inference import TensorTypes, infer_types
from trt_core.precision.normalize import Normalized, normalize
from trt_core.precision.opset import lift_opset, needed_opset
from trt_core.precision.qdq import QdqWriter
from trt_core.precision.targets import QuantizationPlan, plan_quantization

if TYPE_CHECKING:
    import onnx

# Part of a variant's id: raise it whenever the same recipe would give another file.
CONVERTER_VERSION = "3"


@dataclass(frozen=True)
class Variant:
    """A variant. Names are the original model's; `model` is put together when it is first asked for."""

    draft: Draft
    quantized_nodes: tuple[str, ...]
    kept_nodes: tuple[str, ...]  # asked for in low precision, and left in a higher one
    findings: tuple[Finding, ...]

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The ONNX model that is built."""
        return self.draft.emit()

    @property
    def provenance(self) -> Provenance:
        """Where its nodes come from, in indices of the original model's nodes."""
        return self.draft.provenance()


def make_variant(
    model: onnx.ModelProto,
    recipe: Recipe,
    ranges: Sequence[TensorRange] = (),
    *,
    normalized: Normalized | None = None,
    conversions: Conversions | None = None,
) -> Variant:
    """Rewrite a model for a precision: casts for FP16 and BF16, Q/DQ pairs for INT8, FP8 and INT4.

    `model` is the original; `normalized` and `conversions` save doing those steps again. `ranges` (INT8, FP8) come
    from `calibrate`. Raises NotFound for a rule about a node that the model does not have, InvalidData where ranges are
    missing, and UnsupportedRequest where the opset cannot be raised as far as the precision needs.
    """
    draft = _start(model, recipe, normalized)
    rules = _rules(model, draft, recipe)
    if recipe.precision.is_quantized or recipe.precision in (Precision.FP16, Precision.BF16):
        lift_opset(draft, needed_opset(recipe))
    types = infer_types(draft)
    plan, fixed = _quantized(draft, types, recipe, rules, ranges)
    kept, findings = _lowered(draft, types, recipe, rules, fixed, conversions=conversions)
    if plan is not None:
        findings = [*plan.findings(recipe.precision), *_advice(recipe, plan), *findings]
    quantized = [] if plan is None else [*(target.node for target in plan.targets), *plan.products]
    refused = [] if plan is None else [node for node, _ in plan.refused]
    return Variant(
        draft=draft,
        quantized_nodes=_names(model, quantized),
        kept_nodes=_names(model, [*refused, *kept]),
        findings=tuple(findings),
    )


def _quantized(
    draft: Draft, types: TensorTypes, recipe: Recipe, rules: Mapping[int, int], ranges: Sequence[TensorRange]
) -> tuple[QuantizationPlan | None, frozenset[int]]:
    """Write the Q/DQ pairs; what was planned, and the ids of nodes that stay FP32 whatever the rest is."""
    if not recipe.precision.is_quantized:
        return None, frozenset()
    plan = plan_quantization(draft, types, recipe.precision, frozenset(rules), attention=recipe.attention)
    writer = QdqWriter(draft, types, recipe.precision, ELEM_TYPES[recipe.rest])
    writer.write(plan, _by_tensor(plan, recipe, ranges))
    return plan, frozenset(writer.fp32_nodes)


def _lowered(
    draft: Draft,
    types: TensorTypes,
    recipe: Recipe,
    rules: Mapping[int, int],
    fixed: frozenset[int],
    *,
    conversions: Conversions | None,
) -> tuple[list[DraftNode], list[Finding]]:
    """Give every node its floating type; those that were to be low and are not, and what has to be said."""
    floating = recipe.rest if recipe.precision.is_quantized else recipe.precision
    elem_type = ELEM_TYPES[floating]
    if elem_type == FLOAT and all(wanted == FLOAT for wanted in rules.values()):
        return [], []
    choice = choose_float_types(draft, types, elem_type, rules, fixed, conversions=conversions)
    apply_float_types(draft, types, choice.converted)
    findings = list(choice.findings)
    if not recipe.precision.is_quantized and not any(node.elem_type == elem_type for node in draft.nodes):
        findings.append(_nothing_lowered(recipe.precision))
    return choice.kept if elem_type != FLOAT else [], findings


def scaled_for(ranges: Sequence[TensorRange], recipe: Recipe) -> tuple[TensorRange, ...]:
    """The ranges with the scales that the recipe's Q/DQ pairs have: of its format, representable in its rest."""
    floating = ELEM_TYPES[recipe.rest]
    return tuple(
        replace(item, scale=float(symmetric_scale(max(abs(item.low), abs(item.high)), recipe.precision, floating)))
        for item in ranges
    )


def quantizable_nodes(
    model: onnx.ModelProto, recipe: Recipe, *, normalized: Normalized | None = None
) -> tuple[str, ...]:
    """Original names of the nodes that the recipe would quantize without rules, in the order of the file."""
    draft = _start(model, recipe, normalized)
    plan = plan_quantization(draft, infer_types(draft), recipe.precision, attention=recipe.attention)
    return _names(model, [*(target.node for target in plan.targets), *plan.products])


def _start(model: onnx.ModelProto, recipe: Recipe, normalized: Normalized | None) -> Draft:
    if not recipe.normalize:
        return read_draft(model)
    return (normalized or normalize(model)).draft.copy()


def _rules(model: onnx.ModelProto, draft: Draft, recipe: Recipe) -> dict[int, int]:
    """Element types by original index; a rule about a node that was folded holds for the one that took its work."""
    by_name: dict[str, list[int]] = {}
    for index, proto in enumerate(model.graph.node):
        by_name.setdefault(node_name(proto), []).append(index)
    for node in draft.nodes:  # a duplicate's new name is a way to say which one is meant
        if not node.inserted and node.proto.name not in by_name:
            by_name[node.proto.name] = list(node.sources)
    into = {node.index: node.into for node in draft.removed}
    rules: dict[int, int] = {}
    for rule in recipe.keep:
        if rule.node not in by_name:
            raise NotFound(
                f"The model has no node named {rule.node!r}, which a rule keeps in {rule.precision.value}.",
                remedy="Take the name from the model's list of nodes.",
            )
        for index in by_name[rule.node]:
            holder = into.get(index, index)
            if holder is not None:
                rules[holder] = ELEM_TYPES[rule.precision]
    return rules


def _by_tensor(plan: QuantizationPlan, recipe: Recipe, ranges: Sequence[TensorRange]) -> dict[str, TensorRange]:
    by_tensor = {chosen.tensor: chosen for chosen in ranges}
    missing = [name for name in plan.activations if name not in by_tensor] if recipe.needs_data else []
    if missing:
        raise InvalidData(
            f"{len(missing)} of {len(plan.activations)} tensors to quantize have no range, {missing[0]!r} among them.",
            remedy="Calibrate the same model with the same recipe first.",
        )
    return by_tensor


def _advice(recipe: Recipe, plan: QuantizationPlan) -> Iterable[Finding]:
    if not plan.targets:
        yield Finding(
            rule="nothing-quantized",
            severity=Severity.WARNING,
            message=f"No node of the model can be quantized to {recipe.precision.value}.",
            remedy="Use FP16, or see the reasons given for each node.",
        )
    if recipe.precision is Precision.FP8 and recipe.method is not CalibrationMethod.MINMAX:
        yield Finding(
            rule="fp8-range-method",
            severity=Severity.NOTE,
            message=f"FP8 ranges were chosen by {recipe.method.value}; FP8 has exponents, so clipping gains it little.",
            remedy="Use the method minmax for FP8.",
        )


def _nothing_lowered(precision: Precision) -> Finding:
    return Finding(
        rule="nothing-lowered",
        severity=Severity.WARNING,
        message=f"No node was lowered to {precision.value}: none of them computes in FP32, or all have to stay in it.",
        remedy="Use the FP32 model, or see the reasons given for each node.",
    )


def _names(model: onnx.ModelProto, nodes: Iterable[DraftNode]) -> tuple[str, ...]:
    indices = sorted({index for node in nodes for index in node.sources})
    return tuple(node_name(model.graph.node[index]) for index in indices)
