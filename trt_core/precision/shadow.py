"""A model in which every low-precision layer has a shadow that reads the baseline's exact tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trt_core.errors import UnsupportedRequest
from trt_core.precision.draft import read_draft
from trt_core.precision.opset import lift_opset

if TYPE_CHECKING:
    import onnx

PREFIX = "shadow/"


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """The joined model, and for each tensor of the baseline the name of its shadow."""

    model: onnx.ModelProto
    tensors: Mapping[str, str]


def make_shadow(baseline: onnx.ModelProto, twin: onnx.ModelProto, tensors: Iterable[str]) -> Shadow:
    """Join a model and its numerics twin so that one pass gives every layer's error by itself.

    The twin's nodes come after the baseline's under other names. Where one of them reads a tensor out of `tensors`, it
    reads the baseline's: so each shadow is one layer in low precision, its inputs exact, quantized where the variant
    quantizes them. `tensors` are names that both files have. A baseline of an older opset is lifted to the twin's;
    UnsupportedRequest where the opsets differ even then.
    """
    import onnx

    baseline = _lifted(baseline, twin)
    if _opsets(baseline) != _opsets(twin):
        raise UnsupportedRequest(
            "The variant has another opset than the model.", remedy="Compare whole runs instead: mode cumulative."
        )
    written = {name for node in twin.graph.node for name in node.output if name}
    shadowed = {name: PREFIX + name for name in tensors if name in written}
    inputs = {value.name for value in baseline.graph.input}
    joined = onnx.ModelProto()
    joined.CopyFrom(baseline)
    kept = {tensor.name: tensor for tensor in baseline.graph.initializer}
    names = {name: name for name in (*inputs, *shadowed)}
    for tensor in twin.graph.initializer:
        same = kept.get(tensor.name)
        if same is not None and same.SerializeToString(deterministic=True) == tensor.SerializeToString(
            deterministic=True
        ):
            names[tensor.name] = tensor.name
            continue
        copied = joined.graph.initializer.add()
        copied.CopyFrom(tensor)
        copied.name = PREFIX + tensor.name
    for node in twin.graph.node:
        copied = joined.graph.node.add()
        copied.CopyFrom(node)
        _rename(copied, names)
    return Shadow(model=joined, tensors=shadowed)


def _lifted(baseline: onnx.ModelProto, twin: onnx.ModelProto) -> onnx.ModelProto:
    """The baseline in the twin's opset: Q/DQ with FP16 scales need 19, most models are older."""
    target = _opsets(twin).get("ai.onnx", 0)
    if _opsets(baseline).get("ai.onnx", 0) >= target:
        return baseline
    draft = read_draft(baseline)
    lift_opset(draft, target)
    return draft.emit()


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """Prefix what the node writes, and what it reads unless `names` says otherwise; bodies see the outer names, too."""
    node.name = PREFIX + node.name if node.name else ""
    node.input[:] = [names.get(name, PREFIX + name) if name else "" for name in node.input]
    node.output[:] = [PREFIX + name if name else "" for name in node.output]
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            _rename_body(body, names)


_GRAPHS = (5, 10)  # AttributeProto.GRAPH and GRAPHS


def _rename_body(body: Any, names: Mapping[str, str]) -> None:
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {name for node in body.node for name in node.output}
    inner = {**names, **{name: name for name in own}}
    for node in body.node:
        node.input[:] = [inner.get(name, PREFIX + name) if name else "" for name in node.input]
        for attribute in node.attribute:
            for nested in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
                _rename_body(nested, inner)


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {item.domain or "ai.onnx": item.version for item in model.opset_import}
