"""A model while it is being rewritten: nodes in order, weights apart, so that weights are copied only at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trt_core.domain.precision import Provenance, RemovedNode, VariantNode
from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.structure import captured, reads
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.weights import Weight, stored

if TYPE_CHECKING:
    import onnx

DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(kw_only=True, eq=False)
class DraftNode:
    """A node, the original nodes that it comes from, and the element type that its floating tensors shall have."""

    proto: Any  # onnx.NodeProto
    sources: tuple[int, ...]
    inserted: bool = False
    elem_type: int = 1  # onnx.TensorProto.FLOAT

    @property
    def is_standard(self) -> bool:
        """True for an op of the default ONNX domain."""
        return self.proto.domain in DEFAULT_DOMAINS


@dataclass(kw_only=True, eq=False)
class Draft:
    """A model in parts. Steps change it in place; the file it was read from stays as it was."""

    origin: Any  # onnx.ModelProto
    opset: int
    ir_version: int
    nodes: list[DraftNode]
    weights: dict[str, Weight]
    value_info: dict[str, Any]  # onnx.ValueInfoProto by tensor name
    removed: list[RemovedNode] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)  # names of tensors and nodes that are in use
    numbers: dict[str, int] = field(default_factory=dict)  # the last number that `fresh` gave to a name

    def copy(self) -> Draft:
        """The same draft, free to be changed."""
        return Draft(
            origin=self.origin,
            opset=self.opset,
            ir_version=self.ir_version,
            nodes=[_copied(node) for node in self.nodes],
            weights=dict(self.weights),
            value_info=dict(self.value_info),
            removed=list(self.removed),
            taken=set(self.taken),
            numbers=dict(self.numbers),
        )

    def fresh(self, base: str) -> str:
        """A name that nothing has yet, made from `base`."""
        name, number = base, self.numbers.get(base, 1)
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.numbers[base] = number
        self.taken.add(name)
        return name

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Graph inputs, without those that only give an initializer a place in the list (IR version 3)."""
        named = {tensor.name for tensor in self.origin.graph.initializer}
        return [value for value in self.origin.graph.input if value.name not in named]

    @property
    def output_names(self) -> frozenset[str]:
        """Names of the graph's outputs."""
        return frozenset(value.name for value in self.origin.graph.output)

    def captured_names(self) -> frozenset[str]:
        """Tensors that bodies of If, Loop and Scan read from outside."""
        return frozenset(name for node in self.nodes for body in subgraphs(node.proto) for name in captured(body))

    def pinned_names(self) -> frozenset[str]:
        """Tensors that must keep name and dtype: graph outputs and what bodies read."""
        return self.output_names | self.captured_names()

    def use_counts(self) -> Counter[str]:
        """How often each tensor is read, a graph output counting as one reader."""
        counted = Counter(name for node in self.nodes for name in reads(node.proto))
        counted.update(self.output_names)
        return counted

    def producers(self) -> dict[str, DraftNode]:
        """The node that writes a tensor, by tensor name."""
        return {name: node for node in self.nodes for name in node.proto.output if name}

    def provenance(self) -> Provenance:
        """Which node comes from where, in the order of the file."""
        return Provenance(
            nodes=tuple(
                VariantNode(name=node_name(node.proto), sources=node.sources, inserted=node.inserted)
                for node in self.nodes
            ),
            removed=tuple(sorted(self.removed, key=lambda node: node.index)),
        )

    def emit(self) -> onnx.ModelProto:
        """The model as a file's content; here, and only here, weights are computed and copied."""
        model = self.emit_without_weights()
        used = {name for node in self.nodes for name in reads(node.proto)} | self.output_names
        for name, weight in self.weights.items():
            if name in used:
                weight.write(model.graph.initializer.add(), name)
        return model

    def emit_without_weights(self) -> onnx.ModelProto:
        """Everything but the initializers."""
        import onnx

        source, model = self.origin, onnx.ModelProto()
        model.ir_version = self.ir_version
        model.producer_name, model.producer_version = source.producer_name, source.producer_version
        model.domain, model.model_version, model.doc_string = source.domain, source.model_version, source.doc_string
        model.metadata_props.extend(source.metadata_props)
        model.functions.extend(source.functions)
        for item in source.opset_import:
            version = self.opset if item.domain in DEFAULT_DOMAINS else item.version
            model.opset_import.append(onnx.helper.make_opsetid(item.domain, version))
        graph = model.graph
        graph.name, graph.doc_string = source.graph.name or "graph", source.graph.doc_string
        graph.input.extend(self.inputs)
        graph.output.extend(source.graph.output)
        graph.sparse_initializer.extend(source.graph.sparse_initializer)
        graph.node.extend(node.proto for node in self.nodes)
        alive = {name for node in self.nodes for name in node.proto.output}
        graph.value_info.extend(info for name, info in self.value_info.items() if name in alive)
        return model


def read_draft(model: onnx.ModelProto) -> Draft:
    """Take a model apart; its nodes are copied, its weights are not. Nodes come into execution order."""
    import onnx

    opset = next((item.version for item in model.opset_import if item.domain in DEFAULT_DOMAINS), 1)
    nodes = []
    for index, proto in enumerate(model.graph.node):
        copied = onnx.NodeProto()
        copied.CopyFrom(proto)
        nodes.append(DraftNode(proto=copied, sources=(index,)))
    outputs = {value.name for value in model.graph.output}
    draft = Draft(
        origin=model,
        opset=opset,
        ir_version=max(model.ir_version, 8),
        nodes=_in_order(nodes),
        weights={tensor.name: stored(tensor) for tensor in model.graph.initializer},
        value_info={info.name: info for info in model.graph.value_info if info.name not in outputs},
    )
    draft.taken = set(_names(model.graph))
    return draft


def _copied(node: DraftNode) -> DraftNode:
    proto = type(node.proto)()
    proto.CopyFrom(node.proto)
    return DraftNode(proto=proto, sources=node.sources, inserted=node.inserted, elem_type=node.elem_type)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (value.name for value in (*graph.input, *graph.output))
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        yield node_name(node)
        yield from (name for name in node.output if name)
        for body in subgraphs(node):
            yield from _names(body)


def _in_order(nodes: Iterable[DraftNode]) -> list[DraftNode]:
    """Producers before readers, otherwise in the file's order (files that break the rule exist, and parse)."""
    waiting = list(nodes)
    produced = {name for node in waiting for name in node.proto.output if name}
    ready: set[str] = set()
    ordered: list[DraftNode] = []
    while waiting:
        late: list[DraftNode] = []
        for node in waiting:
            if all(name in ready or name not in produced for name in reads(node.proto)):
                ordered.append(node)
                ready.update(node.proto.output)
            else:
                late.append(node)
        if len(late) == len(waiting):
            return ordered + late  # a cycle: the checker of the file names it
        waiting = late
    return ordered
