"""A model's graph as plain values: what pages draw and analyses read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from trt_core.domain.tensors import TensorSpec

LONGEST_NAME_BYTES = 4095  # seen in TensorRT-RTX 1.7: one more, and it "exceeds the limit (4096 characters)"


def is_long_name(name: str) -> bool:
    """Whether TensorRT refuses a node or tensor for its name alone; it counts bytes of UTF-8."""
    return len(name) > LONGEST_NAME_BYTES or len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME_BYTES


@dataclass(frozen=True, kw_only=True)
class Node:
    """One top-level node of an ONNX graph, in file order.

    `name` is the file's own name, or `node_of_<first output>` for an unnamed node, as TensorRT's parser calls it. It
    need not be unique: `index` is. `macs` counts multiply-accumulates with symbolic dimensions taken as 1; None when
    the op has none to count or its shapes are not known. `attributes` is a short readable text a value.
    """

    index: int
    name: str
    op_type: str
    domain: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    macs: int | None = None
    subgraph_nodes: int = 0  # nodes inside If, Loop and Scan bodies


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes, and what is known of their tensors (inputs, outputs, initializers and inferred ones, by name)."""

    nodes: tuple[Node, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    tensors: dict[str, TensorSpec] = field(default_factory=dict)
    initializers: frozenset[str] = frozenset()

    @cached_property
    def producer_of(self) -> dict[str, int]:
        """Index of the node that writes a tensor, by tensor name."""
        return {name: node.index for node in self.nodes for name in node.outputs if name}

    @cached_property
    def consumers_of(self) -> dict[str, tuple[int, ...]]:
        """Indices of the nodes that read a tensor, by tensor name, in file order."""
        found: dict[str, list[int]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name:
                    found.setdefault(name, []).append(node.index)
        return {name: tuple(indices) for name, indices in found.items()}

    @cached_property
    def edges(self) -> tuple[tuple[int, int, str], ...]:
        """(producer index, consumer index, tensor), initializers and graph inputs left out."""
        return tuple(
            (self.producer_of[name], node.index, name)
            for node in self.nodes
            for name in dict.fromkeys(node.inputs)
            if name in self.producer_of
        )

    @cached_property
    def indices_by_name(self) -> dict[str, tuple[int, ...]]:
        """Node indices by node name; several where names are not unique."""
        found: dict[str, list[int]] = {}
        for node in self.nodes:
            found.setdefault(node.name, []).append(node.index)
        return {name: tuple(indices) for name, indices in found.items()}

    @cached_property
    def op_histogram(self) -> dict[str, int]:
        """How often each op occurs, most frequent first; ops outside the ONNX domain as `domain::Op`."""
        counted = Counter(f"{node.domain}::{node.op_type}" if node.domain else node.op_type for node in self.nodes)
        return dict(counted.most_common())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one sample: the sum over the nodes for which they are known."""
        return sum(node.macs or 0 for node in self.nodes)
