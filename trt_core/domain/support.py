"""Layer support: what the parser says, and what only a build can prove."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from trt_core.domain.findings import Finding


class Evidence(Enum):
    """What an answer rests on, weakest first."""

    PARSER = "parser"  # the parser's answer for the whole model or for this node
    SUBGRAPH = "subgraph"  # the node's subgraph, extracted, was accepted by itself
    BUILD = "build"  # a build that contains the node succeeded or failed


@dataclass(frozen=True, kw_only=True)
class NodeSupport:
    """The answer for one node.

    `supported` is None where nothing proves it: the parser reached no verdict. `partition` numbers the run of
    supported nodes the node falls in, -1 outside of all.
    """

    index: int
    name: str
    op_type: str
    domain: str
    supported: bool | None
    evidence: Evidence
    reason: str = ""
    remedy: str = ""
    partition: int = -1


@dataclass(frozen=True, kw_only=True)
class SupportPart:
    """Nodes that can be taken out together: a partition, or neighbours that are refused."""

    indices: tuple[int, ...]
    is_supported: bool


@dataclass(frozen=True, kw_only=True)
class SupportReport:
    """All nodes of a model, in file order, for one backend and target."""

    backend: str
    backend_version: str
    target: str  # "SM 8.6"
    nodes: tuple[NodeSupport, ...]
    findings: tuple[Finding, ...] = ()
    build_proved: bool | None = None  # None: no build was asked for
    build_reason: str = ""

    @property
    def unsupported(self) -> tuple[NodeSupport, ...]:
        """The nodes that are refused."""
        return tuple(node for node in self.nodes if node.supported is False)

    @property
    def fully_supported(self) -> bool:
        """True when every node is accepted and no build contradicts."""
        return all(node.supported for node in self.nodes) and self.build_proved is not False

    @property
    def partition_count(self) -> int:
        """How many runs of supported nodes the model falls into."""
        return len({node.partition for node in self.nodes if node.partition >= 0})

    @property
    def parts(self) -> tuple[SupportPart, ...]:
        """The partitions and, between them, the runs of refused nodes; in order of their first nodes."""
        partitions: dict[int, list[int]] = {}
        refused: list[list[int]] = []
        for node in self.nodes:
            if node.partition >= 0:
                partitions.setdefault(node.partition, []).append(node.index)
            elif node.supported is False:
                if not refused or refused[-1][-1] != node.index - 1:
                    refused.append([])
                refused[-1].append(node.index)
        found = [SupportPart(indices=tuple(part), is_supported=True) for part in partitions.values()]
        found += [SupportPart(indices=tuple(part), is_supported=False) for part in refused]
        return tuple(sorted(found, key=lambda part: part.indices[0]))
