"""A model in which every low-precision layer has a shadow that reads the baseline's exact tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trt_core.errors import UnsupportedRequest
from trt_core.onnx_graph.structure import reads
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.draft import read_draft
from trt_core.precision.inference import infer_types
from trt_core.precision.opset import lift_opset

if TYPE_CHECKING:
    import onnx  # noqa: TC004 - a dataclass keeps its annotations as text

_PREFIX = "shadow/"


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """The model, and for each tensor of the baseline the name of its shadow.

    `inputs` are tensors of the baseline that are handed to it; none where the baseline's nodes are in the model.
    """

    model: onnx.ModelProto
    tensors: Mapping[str, str]
    inputs: tuple[str, ...] = ()


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
    prefix = _prefix(baseline)
    written = {name for node in twin.graph.node for name in node.output if name}
    shadowed = {name: prefix + name for name in tensors if name in written}
    joined = onnx.ModelProto()
    joined.CopyFrom(baseline)
    kept = {tensor.name: tensor for tensor in baseline.graph.initializer}
    _drop_inputs(joined, set(kept))
    names = _Names(prefix, {name: name for name in (*(value.name for value in joined.graph.input), *shadowed)})
    for tensor in twin.graph.initializer:
        same = kept.get(tensor.name)
        if same is not None and same.SerializeToString(deterministic=True) == tensor.SerializeToString(
            deterministic=True
        ):
            names.known[tensor.name] = tensor.name
            continue
        copied = joined.graph.initializer.add()
        copied.CopyFrom(tensor)
        copied.name = prefix + tensor.name
    for node in twin.graph.node:
        _rename(joined.graph.node.add(), node, names)
    return Shadow(model=joined, tensors=shadowed)


def make_detached_shadow(baseline: onnx.ModelProto, twin: onnx.ModelProto, tensors: Iterable[str]) -> Shadow | None:
    """The shadows alone, as a model that is handed the baseline's tensors: what has been computed is not run again.

    None where the rank of such a tensor is not known, so that it cannot be declared as an input.
    """
    import onnx

    prefix, types = _prefix(baseline), infer_types(read_draft(baseline))
    written = {name for node in twin.graph.node for name in node.output if name}
    shadowed = {name: prefix + name for name in tensors if name in written}
    given = {value.name: value for value in twin.graph.input}
    read = dict.fromkeys(name for node in twin.graph.node for name in reads(node))
    inputs = tuple(name for name in read if name in shadowed)
    if not types.shapes.keys() >= set(inputs):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(twin)
    graph = model.graph
    del graph.node[:], graph.output[:], graph.value_info[:]
    stored = (tensor.name for tensor in graph.initializer)
    names = _Names(prefix, {name: name for name in (*given, *shadowed, *stored)})
    for node in twin.graph.node:
        _rename(graph.node.add(), node, names)
    helper = onnx.helper
    for name in inputs:
        # Only the rank: a file may state sizes that its tensors do not have.
        dims = [None] * len(types.shapes[name])
        graph.input.append(helper.make_tensor_value_info(name, types.elem_types[name], dims))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in list(shadowed.values())[:1])
    return Shadow(model=model, tensors=shadowed, inputs=inputs)


def _prefix(model: onnx.ModelProto) -> str:
    """What no name of the model begins with."""
    taken = {name for node in model.graph.node for name in (node.name, *node.output)}
    taken |= {tensor.name for tensor in model.graph.initializer} | {value.name for value in model.graph.input}
    prefix = _PREFIX
    while any(name.startswith(prefix) for name in taken):
        prefix = f"_{prefix}"
    return prefix


def _drop_inputs(model: onnx.ModelProto, stored: set[str]) -> None:
    """Take initializers out of the inputs: up to IR version 3 they had to be there, and every new one would, too."""
    inputs = [value for value in model.graph.input if value.name not in stored]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)


@dataclass(frozen=True)
class _Names:
    """What a name of the twin is called in the joined model: as `known` says, else with the prefix."""

    prefix: str
    known: dict[str, str]

    def of(self, name: str) -> str:
        return self.known.get(name, self.prefix + name) if name else ""


def _lifted(baseline: onnx.ModelProto, twin: onnx.ModelProto) -> onnx.ModelProto:
    """The baseline in the twin's opset: Q/DQ with FP16 scales need 19, most models are older."""
    target = _opsets(twin).get("ai.onnx", 0)
    if _opsets(baseline).get("ai.onnx", 0) >= target:
        return baseline
    draft = read_draft(baseline)
    lift_opset(draft, target)
    return draft.emit()


def _rename(node: Any, source: Any, names: _Names) -> None:
    """A copy that writes under the prefix, and reads so unless `names` says otherwise; bodies see outer names, too."""
    node.CopyFrom(source)
    node.name = names.prefix + node.name if node.name else ""
    node.input[:] = [names.of(name) for name in node.input]
    node.output[:] = [names.prefix + name if name else "" for name in node.output]
    for body in subgraphs(node):
        _rename_body(body, names)


def _rename_body(body: Any, names: _Names) -> None:
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own |= {name for node in body.node for name in node.output}
    inner = _Names(names.prefix, {**names.known, **{name: name for name in own}})
    for node in body.node:
        node.input[:] = [inner.of(name) for name in node.input]
        for nested in subgraphs(node):
            _rename_body(nested, inner)
    for value in body.output:
        value.name = inner.of(value.name)


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    return {item.domain or "ai.onnx": item.version for item in model.opset_import}
