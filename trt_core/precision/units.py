"""What a plan decides about: nodes that a recipe can lower, with all that is folded into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from trt_core.domain.findings import Finding
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Recipe
from trt_core.domain.triage import Unit
from trt_core.precision.draft import Draft, DraftNode, read_draft
from trt_core.precision.float_types import Conversions, FloatChoice, choose_float_types
from trt_core.precision.formats import ELEM_TYPES, FLOAT
from trt_core.precision.inference import infer_types
from trt_core.precision.normalize import Normalized
from trt_core.precision.opset import lift_opset, needed_opset
from trt_core.precision.targets import WEIGHTED, plan_quantization

if TYPE_CHECKING:
    import onnx


def plan_units(
    model: onnx.ModelProto | Normalized, recipe: Recipe, graph: Graph, *, conversions: Conversions | None = None
) -> tuple[Unit, ...]:
    """The units of a model in the order of the file; `graph` is the original's.

    INT8, FP8 and INT4: nodes that the recipe quantizes, and Adds whose skip input is quantized. FP16 and BF16: every
    node with an FP32 output that the variant does not leave in FP32 by itself. Nodes that share a name are one unit,
    because a rule goes by name. `conversions` are the weights that variants of the model share.
    """
    draft = _draft(model)
    folded: dict[int, list[int]] = {}
    for gone in draft.removed:
        if gone.into is not None:
            folded.setdefault(gone.into, []).append(gone.index)
    merged: dict[str, Unit] = {}
    for node in _lowerable(draft, recipe, conversions):
        unit = _unit(node.sources, folded, graph)
        if unit is None:
            continue
        before = merged.get(unit.node)
        if before is not None:
            unit = Unit(
                node=unit.node,
                op_type=before.op_type,
                indices=tuple(sorted({*before.indices, *unit.indices})),
                macs=before.macs + unit.macs,
            )
        merged[unit.node] = unit
    return tuple(sorted(merged.values(), key=lambda unit: unit.indices))


def left_high(
    model: onnx.ModelProto | Normalized, recipe: Recipe, *, conversions: Conversions | None = None
) -> tuple[Finding, ...]:
    """Which nodes an FP16 or BF16 variant leaves in FP32 whatever a plan says, and why."""
    return () if recipe.precision.is_quantized else tuple(_floats(_draft(model), recipe, conversions).findings)


def why_none(model: onnx.ModelProto | Normalized, recipe: Recipe, *, conversions: Conversions | None = None) -> str:
    """Why `plan_units` found nothing to lower: a sentence for each reason, with the number of nodes."""
    draft = _draft(model)
    if not recipe.precision.is_quantized:
        findings = tuple(_floats(draft, recipe, conversions).findings)
        return " ".join(item.message for item in findings) or "None of its nodes computes in FP32."
    plan = plan_quantization(draft, infer_types(draft), recipe.precision, attention=recipe.attention)
    told = " ".join(item.message for item in plan.findings(recipe.precision))
    return told or f"It has no {', '.join(sorted(WEIGHTED))}."


def _draft(model: onnx.ModelProto | Normalized) -> Draft:
    return model.draft if isinstance(model, Normalized) else read_draft(model)


def _floats(draft: Draft, recipe: Recipe, conversions: Conversions | None) -> FloatChoice:
    """The choice that the plain variant makes, on a copy: it writes into the nodes."""
    draft = draft.copy()
    lift_opset(draft, needed_opset(recipe))
    elem_type = ELEM_TYPES[recipe.precision]
    return choose_float_types(draft, infer_types(draft), elem_type, {}, frozenset(), conversions=conversions)


def _lowerable(draft: Draft, recipe: Recipe, conversions: Conversions | None) -> Iterator[DraftNode]:
    types = infer_types(draft)
    if recipe.precision.is_quantized:
        plan = plan_quantization(draft, types, recipe.precision, attention=recipe.attention)
        yield from (target.node for target in plan.targets)
        yield from plan.products
        yield from (node for node, _ in plan.skips)
        return
    high = {node.sources for node in _floats(draft, recipe, conversions).kept}
    for node in draft.nodes:
        if (
            node.sources not in high
            and node.is_standard
            and any(types.elem_types.get(name) == FLOAT for name in node.proto.output)
        ):
            yield node


def _unit(sources: Sequence[int], folded: Mapping[int, Sequence[int]], graph: Graph) -> Unit | None:
    if not sources:
        return None
    main = max(sources, key=lambda index: (graph.nodes[index].macs or 0, -index))
    node = graph.nodes[main]
    taken_over = [index for source in sources for index in folded.get(source, ())]
    return Unit(
        node=node.name,
        op_type=node.op_type,
        indices=tuple(sorted({*sources, *taken_over})),
        macs=sum(graph.nodes[index].macs or 0 for index in sources),
    )
