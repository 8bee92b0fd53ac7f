"""Lift a draft to a newer opset, because older ones have no Q/DQ for the format that is wanted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from trt_core.domain.precision import Precision, Recipe
from trt_core.errors import UnsupportedRequest
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.attributes import attribute, drop_attribute, set_attribute
from trt_core.precision.draft import DEFAULT_DOMAINS, Draft, DraftNode
from trt_core.precision.inference import make_skeleton
from trt_core.precision.weights import made, stored

if TYPE_CHECKING:
    import onnx

_INT64 = 7
# Same signature, other meaning.
_CHANGED_MEANING = frozenset({"GroupNormalization"})


def needed_opset(recipe: Recipe) -> int:
    """The lowest opset in which the ONNX schemas know the variant's types.

    INT8 Q/DQ with FP32 scales: 13 (per channel); with FP16 scales: 19; FP8: 19; INT4 in blocks: 21; convolutions and
    poolings in BF16: 22.
    """
    needed = {Precision.INT8: 13, Precision.FP8: 19, Precision.INT4: 21, Precision.BF16: 22}.get(recipe.precision, 1)
    if recipe.precision.is_quantized:
        needed = max(needed, {Precision.FP16: 19, Precision.BF16: 22}.get(recipe.rest, 1))
    return needed


def lift_opset(draft: Draft, target: int) -> None:
    """Bring the default domain to `target`; a draft that is there already stays as it is.

    Where the operators in use only gained types and optional attributes, the number is all that changes. Otherwise
    ONNX's version converter runs, over a copy without the large weights. Raises UnsupportedRequest where it cannot.
    """
    if draft.opset >= target:
        return
    if all(_is_compatible(node.proto, draft.opset, target) or _adapter(node.proto) for node in draft.nodes):
        for node in draft.nodes:
            if not _is_compatible(node.proto, draft.opset, target):
                _adapt(draft, node.proto)
    else:
        _convert(draft, target)
    draft.opset = target


def _is_compatible(proto: onnx.NodeProto, old: int, new: int) -> bool:
    if proto.domain not in DEFAULT_DOMAINS:
        return True
    inner = (node for body in subgraphs(proto) for node in body.node)
    return _signature_kept(proto.op_type, old, new) and all(_is_compatible(node, old, new) for node in inner)


@lru_cache(maxsize=4096)
def _signature_kept(op_type: str, old: int, new: int) -> bool:
    """True when a node written for the old opset is valid, and means the same, in the new one."""
    import onnx

    try:
        before, after = onnx.defs.get_schema(op_type, old, ""), onnx.defs.get_schema(op_type, new, "")
    except onnx.defs.SchemaError:
        return True  # not an ONNX operator: neither converter nor we can say more
    if before.since_version == after.since_version:
        return True
    if op_type in _CHANGED_MEANING or after.deprecated:
        return False
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    same_inputs = [item.name for item in after.inputs[: len(before.inputs)]] == [item.name for item in before.inputs]
    extra_optional = all(item.option == optional for item in after.inputs[len(before.inputs) :])
    extra_attributes = [item for name, item in after.attributes.items() if name not in before.attributes]
    return (
        same_inputs
        and extra_optional
        and len(before.outputs) == len(after.outputs)
        and all(_same_attribute(item, after.attributes.get(name)) for name, item in before.attributes.items())
        and not any(item.required for item in extra_attributes)
        and op_type != "Split"
    )


def _same_attribute(before: Any, after: Any) -> bool:
    return (
        after is not None
        and before.type == after.type
        and before.default_value.SerializeToString() == after.default_value.SerializeToString()
    )


def _adapter(proto: onnx.NodeProto) -> bool:
    """True for the two changes of opset 18 that are made here: axes of reductions, and Split into equal parts."""
    if proto.op_type == "Split":
        return not attribute(proto, "split", None)
    return proto.op_type.startswith("Reduce") and len(proto.input) == 1


def _adapt(draft: Draft, proto: onnx.NodeProto) -> None:
    if proto.op_type == "Split":
        if len(proto.input) < 2 or not proto.input[1]:
            set_attribute(proto, "num_outputs", len(proto.output))
        return
    axes = attribute(proto, "axes", None)
    if axes is not None:
        drop_attribute(proto, "axes")
        name = draft.fresh(f"{proto.output[0]}_axes")
        draft.weights[name] = made(np.asarray(axes, np.int64), _INT64)
        proto.input.append(name)


def _refusal(draft: Draft, target: int, reason: str) -> UnsupportedRequest:
    return UnsupportedRequest(
        f"The model's opset {draft.opset} cannot be raised to {target}, which this precision needs: {reason}.",
        remedy=f"Export the model at opset {target}.",
    )


def _convert(draft: Draft, target: int) -> None:
    import onnx

    for node in draft.nodes:
        if any(not _is_compatible(inner, draft.opset, target) for body in subgraphs(node.proto) for inner in body.node):
            raise _refusal(draft, target, f"the body of {node.proto.name!r} has operators that changed in between")
    skeleton = make_skeleton(draft)
    try:
        converted = onnx.version_converter.convert_version(skeleton, target)
    except Exception as error:  # noqa: BLE001 - the converter's C++ raises several kinds, RuntimeError among them
        raise _refusal(draft, target, str(error).strip().partition("\n")[0][:300] or type(error).__name__) from None
    producers = draft.producers()
    nodes: list[DraftNode] = []
    for proto in converted.graph.node:
        known = next((producers[name] for name in proto.output if name in producers), None)
        sources = known.sources if known is not None else ()
        nodes.append(DraftNode(proto=proto, sources=sources, inserted=known is None))
    for node in nodes:
        if node.inserted:
            names = set(node.proto.output)
            node.proto.name = draft.fresh(node.proto.name or f"{node.proto.output[0]}_adapter")
            node.sources = next((reader.sources for reader in nodes if names & set(reader.proto.input)), ())
    for tensor in converted.graph.initializer:
        if tensor.name not in draft.weights:
            draft.weights[tensor.name] = stored(tensor)
    draft.nodes = nodes
    draft.taken |= {name for node in nodes for name in node.proto.output}
