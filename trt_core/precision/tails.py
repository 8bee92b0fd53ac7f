"""The part of a numerics twin that another plan changes, run from tensors that the plain twin has computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trt_core.onnx_graph.structure import reads
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.formats import FLOAT
from trt_core.precision.inference import TensorTypes, infer_types
from trt_core.precision.weights import Array, Weight, made

if TYPE_CHECKING:
    import onnx  # noqa: TC004 - a dataclass keeps its annotations as text

_APART_BYTES = 1024  # smaller weights stay in the file
_ALIGNED = 64
_ROUNDING = frozenset({"QuantizeLinear", "DequantizeLinear", "Cast"})
Compute = Callable[[Any], Sequence[Array]]  # runs a model without inputs; its outputs in order


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """The plain twin, its large weights in a file of their own that all tails read, too.

    `nodes` are its nodes as bytes, their names left out, with those that were computed once and for all; `stored` are
    the tensors that say where a weight lies.
    """

    draft: Draft
    model: onnx.ModelProto
    nodes: frozenset[bytes]
    stored: Mapping[str, Any]
    types: TensorTypes


@dataclass(frozen=True, kw_only=True)
class Tail:
    """Nodes of another twin that differ from the trunk's, and all that follows from them.

    `inputs` are tensors that the trunk has computed, or inputs of the model; `outputs` those of the model's outputs
    that the tail computes again. The others are the trunk's.
    """

    model: onnx.ModelProto
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def make_trunk(plain: Draft, data: Path, compute: Compute) -> Trunk:
    """Take a twin for the trunk; its weights are written to `data`, beside which every model of it must be saved.

    Rounding of weights is done here, by `compute`, and not again for every sample.
    """
    types, nodes = infer_types(plain), frozenset(_bare(node) for node in plain.nodes)
    draft = _with_rounded_weights(plain, compute)
    used = {name for node in draft.nodes for name in reads(node.proto)} | draft.output_names
    model, stored = draft.emit_without_weights(), {}
    with data.open("wb") as file:
        for name, weight in draft.weights.items():
            if name in used:
                stored[name] = _stored(name, weight, file, data.name)
                model.graph.initializer.append(stored[name])
    return Trunk(draft=draft, model=model, nodes=nodes, stored=stored, types=types)


def _with_rounded_weights(plain: Draft, compute: Compute) -> Draft:
    """The twin with constants in place of Q, DQ and Cast nodes that read constants only."""
    draft = plain.copy()
    constant, folded, left = set(draft.weights), list[DraftNode](), list[DraftNode]()
    for node in draft.nodes:
        is_rounding = node.is_standard and node.proto.op_type in _ROUNDING
        if is_rounding and constant.issuperset(reads(node.proto)) and not draft.pinned_names() & {*node.proto.output}:
            folded.append(node)
            constant.update(node.proto.output)
        else:
            left.append(node)
    wanted = {name for node in left for name in reads(node.proto)}
    names = [name for node in folded for name in node.proto.output if name in wanted]
    if not names:
        return draft
    for name, values in zip(names, compute(_alone(draft, folded, names)), strict=True):
        draft.weights[name] = made(values, FLOAT)
    draft.nodes = left
    return draft


def _alone(draft: Draft, nodes: list[DraftNode], outputs: list[str]) -> onnx.ModelProto:
    """A model of these nodes, which need no input."""
    import onnx

    model = draft.emit_without_weights()
    graph = model.graph
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(node.proto for node in nodes)
    graph.output.extend(onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in outputs)
    for name in dict.fromkeys(name for node in nodes for name in reads(node.proto)):
        if name in draft.weights:
            draft.weights[name].write(graph.initializer.add(), name)
    return model


def make_tail(trunk: Trunk, other: Draft, changed: frozenset[int]) -> Tail:
    """What of another twin of the same variant has to be run; `changed` are original nodes that it treats differently.

    A node is the trunk's own where it serves none of `changed`, looks the same and reads nothing that differs. Weights
    of such nodes are the trunk's; every other weight is written into the tail.
    """
    differs: set[str] = set()
    ours: set[str] = set()  # weights that the trunk may hold with other values
    nodes = []
    for node in other.nodes:
        names = set(reads(node.proto))
        is_own = bool(changed.intersection(node.sources)) or _bare(node) not in trunk.nodes
        if is_own or names & differs:
            nodes.append(node)
            differs.update(name for name in node.proto.output if name)
            ours.update(names if is_own else ())
    if not trunk.types.shapes.keys() >= set(_cuts(trunk, other, nodes)):  # an input is declared with its rank
        nodes = other.nodes
    outputs = [value for value in other.origin.graph.output if value.name in differs]
    return _tail(trunk, other, nodes, ours, outputs)


def _cuts(trunk: Trunk, other: Draft, nodes: list[DraftNode]) -> list[str]:
    """Tensors that the nodes read and do not make: neither weights nor folded into one."""
    made_here = {name for node in nodes for name in node.proto.output}
    names = dict.fromkeys(name for node in nodes for name in reads(node.proto))
    return [n for n in names if n not in made_here and n not in other.weights and n not in trunk.stored]


def _tail(trunk: Trunk, other: Draft, nodes: list[DraftNode], ours: set[str], outputs: list[Any]) -> Tail:
    import onnx

    model, inputs = other.emit_without_weights(), _cuts(trunk, other, nodes)
    graph, known = model.graph, {value.name: value for value in other.inputs}
    del graph.node[:], graph.output[:], graph.value_info[:], graph.input[:]
    graph.node.extend(node.proto for node in nodes)
    graph.output.extend(outputs)
    types = trunk.types
    for name in inputs:
        # Only the rank: a file may state sizes that its tensors do not have.
        dims = [None] * len(types.shapes.get(name, ()))
        typed = onnx.helper.make_tensor_value_info(name, types.elem_types.get(name, FLOAT), dims)
        graph.input.append(known.get(name, typed))
    made_here = {name for node in nodes for name in node.proto.output}
    for name in dict.fromkeys(name for node in nodes for name in reads(node.proto)):
        if name in other.weights:
            _add_weight(trunk, name, other.weights[name], graph, is_own=name in ours)
        elif name in trunk.stored and name not in made_here:
            graph.initializer.append(trunk.stored[name])
    return Tail(model=model, inputs=tuple(inputs), outputs=tuple(value.name for value in outputs))


def _add_weight(trunk: Trunk, name: str, weight: Weight, graph: onnx.GraphProto, *, is_own: bool) -> None:
    theirs = trunk.draft.weights.get(name)
    untouched = theirs is not None and weight.proto is not None and theirs.proto is weight.proto
    if name in trunk.stored and (untouched or not is_own):
        graph.initializer.append(trunk.stored[name])
    else:
        weight.write(graph.initializer.add(), name)


def _bare(node: DraftNode) -> bytes:
    copied = type(node.proto)()
    copied.CopyFrom(node.proto)
    copied.ClearField("name")
    return bytes(copied.SerializeToString(deterministic=True))


def _stored(name: str, weight: Weight, file: Any, location: str) -> onnx.TensorProto:
    """The tensor in place, or, where it is large, as a reference to bytes that are written to the file."""
    import onnx

    tensor = onnx.TensorProto()
    values = weight.load() if weight.size >= _APART_BYTES // 4 else None
    if values is None or values.dtype.kind not in "fiub" or weight.size != values.size:
        weight.write(tensor, name)
        return tensor
    file.write(bytes(-file.tell() % _ALIGNED))
    content = np.ascontiguousarray(values).tobytes()
    tensor.name, tensor.data_type = name, weight.elem_type
    tensor.dims.extend(weight.dims)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", file.tell()), ("length", len(content))):
        tensor.external_data.add(key=key, value=str(value))
    file.write(content)
    return tensor
