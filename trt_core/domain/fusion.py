"""The map between ONNX nodes and engine layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from trt_core.domain.findings import Finding
from trt_core.domain.precision import Precision


class NodeState(Enum):
    """What became of an ONNX node."""

    MAPPED = "mapped"  # the compiler's record names it
    FOLDED = "folded"  # provable on the ONNX: a named step of ours, or constant folding
    ABSORBED = "absorbed"  # inferred by a named rule
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, kw_only=True)
class MappedLayer:
    """An engine layer and the original nodes (by index) that it computes."""

    index: int
    name: str
    kind: str
    kernel: str
    precision: Precision
    nodes: tuple[int, ...]
    stream: int = 0
    output_bytes: int = 0  # bytes written at static shapes; 0 when not known


@dataclass(frozen=True, kw_only=True)
class NodeFate:
    """What became of one original node: its state, the engine layers that hold it, and who says so.

    `by` is the compiler's record, the layer's own name where that record lists no nodes, or a rule.
    """

    index: int
    name: str
    op_type: str
    state: NodeState
    layers: tuple[int, ...] = ()
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class PatternMatch:
    """A fusion that the graph promises: did the compiler make one engine layer of it?"""

    pattern: str  # "conv+bn+activation", "attention", "layernorm", "gelu", "q/dq"
    nodes: tuple[int, ...]
    fused: bool
    layers: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FusionStep:
    """One named pass with the number of nodes or layers before and after; `unit` says which."""

    name: str
    before: int
    after: int
    unit: str = "nodes"


@dataclass(frozen=True, kw_only=True)
class FusionMap:
    """Both directions of the map, and the stamp that says whose plan it is."""

    build_id: str
    stamp: str
    layers: tuple[MappedLayer, ...]
    nodes: tuple[NodeFate, ...]
    patterns: tuple[PatternMatch, ...] = ()
    steps: tuple[FusionStep, ...] = ()
    findings: tuple[Finding, ...] = ()
    saved_bytes: int | None = None  # estimate of DRAM traffic that fusion avoids, for one inference

    @cached_property
    def state_counts(self) -> dict[NodeState, int]:
        """How many nodes are in each state, every state present."""
        counted = Counter(node.state for node in self.nodes)
        return {state: counted[state] for state in NodeState}

    @cached_property
    def fused_group_count(self) -> int:
        """Engine layers that compute more than one original node."""
        return sum(len(layer.nodes) > 1 for layer in self.layers)
