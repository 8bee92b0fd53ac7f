"""What is known so far of each node of a model that a parser is asked about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from trt_core.backends.causes import parser_reason
from trt_core.backends.parser_errors import NativeParserError
from trt_core.backends.remedies import remedy_for
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import LONGEST_NAME_BYTES, Graph, Node
from trt_core.domain.support import Evidence, NodeSupport

_NAME_TOO_LONG = re.compile(r"given name exceeds the limit")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of one node so far."""

    supported: bool | None
    evidence: Evidence
    reason: str = ""
    remedy: str = ""


@dataclass(kw_only=True)
class Inquiry:
    """One model under question, and the library's name. `verdicts` holds every node that is settled, by index."""

    path: Path
    graph: Graph
    title: str
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def open_nodes(self) -> list[int]:
        """Nodes without a verdict, in file order."""
        return [node.index for node in self.graph.nodes if node.index not in self.verdicts]

    def settle(self, indices: Iterable[int], verdict: Verdict) -> int:
        """Give nodes a verdict unless they have one; how many were new."""
        new = [index for index in indices if index not in self.verdicts]
        self.verdicts.update(dict.fromkeys(new, verdict))
        return len(new)


def not_proved(inquiry: Inquiry, indices: Iterable[int], reason: str) -> int:
    """Settle nodes about which no more can be asked; how many were new."""
    verdict = Verdict(
        supported=None,
        evidence=Evidence.PARSER,
        reason=reason,
        remedy="Deal with the refused nodes before it, then ask again.",
    )
    return inquiry.settle(indices, verdict)


def blame(inquiry: Inquiry, errors: list[NativeParserError], indices: list[int], evidence: Evidence) -> bool:
    """Settle the nodes that errors blame; `indices` maps the parser's positions to nodes. False: nothing was new."""
    new = 0
    for error in errors:
        if 0 <= error.node < len(indices):
            index = indices[error.node]
            new += inquiry.settle([index], _refused(inquiry.graph.nodes[index], error, inquiry.graph, evidence))
        elif error.tensor:
            new += _blame_input(inquiry, error.tensor, evidence)
        elif error.initializer:
            new += _blame_initializer(inquiry, error.initializer, evidence)
    if not new:
        said = next((parser_reason(error.text) for error in errors if error.text), "it gave no reason")
        inquiry.findings.append(
            Finding(
                rule="parser-refused-model",
                severity=Severity.BLOCKER,
                message=f"The parser refuses the model and names no node: {said}",
                remedy="Check the model with the ONNX checker, or export it again.",
            )
        )
        not_proved(inquiry, indices, "The parser refused the model before it came to this node.")
    return bool(new)


def _refused(node: Node, error: NativeParserError, graph: Graph, evidence: Evidence) -> Verdict:
    if _NAME_TOO_LONG.search(error.text):
        return Verdict(
            supported=None,
            evidence=evidence,
            reason=f"A tensor beside it has a name of more than {LONGEST_NAME_BYTES:,} bytes, which is refused before "
            f"the parser judges {node.op_type}.",
            remedy="Shorten the model's names, then ask again.",
        )
    reason = parser_reason(error.text) or f"The parser has no importer for {node.op_type} in this form."
    inside = f"Inside it, {error.inner_name or 'a node'} ({error.operator}): " if error.stack else ""
    return Verdict(
        supported=False,
        evidence=evidence,
        reason=f"{inside}{reason}",
        remedy=remedy_for(node, reason=error.text, graph=graph),
    )


def _blame_input(inquiry: Inquiry, tensor: str, evidence: Evidence) -> int:
    spec = inquiry.graph.tensors.get(tensor) or next((s for s in inquiry.graph.inputs if s.name == tensor), None)
    dtype = f"dtype {spec.dtype}" if spec and spec.dtype else "a dtype"
    finding = Finding(
        rule="refused-input",
        severity=Severity.BLOCKER,
        message=f"Input {tensor!r} has {dtype}, which {inquiry.title} does not take.",
        remedy="Let the model take float32, float16, int32 or int64, and convert before it.",
    )
    return _blame_readers(inquiry, tensor, finding, evidence)


def _blame_initializer(inquiry: Inquiry, tensor: str, evidence: Evidence) -> int:
    finding = Finding(
        rule="refused-initializer",
        severity=Severity.BLOCKER,
        message=f"Initializer {tensor!r} cannot be imported: its dtype is not supported, or its data cannot be read.",
        remedy="Use FP32, FP16, BF16, INT8 or INT4 weights, and keep external data beside the model.",
    )
    return _blame_readers(inquiry, tensor, finding, evidence)


def _blame_readers(inquiry: Inquiry, tensor: str, finding: Finding, evidence: Evidence) -> int:
    readers = inquiry.graph.consumers_of.get(tensor, ())
    names = tuple(inquiry.graph.nodes[index].name for index in readers)
    inquiry.findings.append(replace(finding, nodes=names))
    verdict = Verdict(supported=False, evidence=evidence, reason=finding.message, remedy=finding.remedy)
    return inquiry.settle(readers, verdict)


def node_answers(inquiry: Inquiry) -> Iterable[NodeSupport]:
    """Verdicts in file order; runs of supported nodes are numbered from 0."""
    partition, in_run = -1, False
    for node in inquiry.graph.nodes:
        verdict = inquiry.verdicts.get(node.index, Verdict(supported=None, evidence=Evidence.PARSER))
        if verdict.supported and not in_run:
            partition += 1
        in_run = bool(verdict.supported)
        yield NodeSupport(
            index=node.index,
            name=node.name,
            op_type=node.op_type,
            domain=node.domain,
            supported=verdict.supported,
            evidence=verdict.evidence,
            reason=verdict.reason,
            remedy=verdict.remedy,
            partition=partition if in_run else -1,
        )
