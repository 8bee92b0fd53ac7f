"""What a build adds to the parser's answers."""

from __future__ import annotations

import re
from dataclasses import replace

from trt_core.backends.causes import Cause, cause_of
from trt_core.domain.support import Evidence, NodeSupport, SupportReport
from trt_core.errors import BackendError

_SUFFIX = re.compile(r"_(?:\d+|OutputLayer|InputLayer)$")


def prove_by_build(report: SupportReport, failure: BackendError | None) -> SupportReport:
    """The report after a build of the same file for the same target; `failure` None means that it gave an engine.

    Success proves every node. After a failure the nodes that the library's message names are refused, and those of a
    fused part that it names are open again; where it names none, the reason stands for the whole model and the nodes
    keep the parser's answer.
    """
    if failure is None:
        proved = tuple(
            replace(node, supported=True, evidence=Evidence.BUILD, reason="", remedy="", partition=0)
            for node in report.nodes
        )
        return replace(report, nodes=proved, build_proved=True, build_reason="")
    cause = cause_of(_error_records(failure.details) or [failure.message])
    refused = _named(report, cause)
    doubtful = set() if refused else _inside_range(report, cause.node_range)
    nodes = [_after_failure(node, failure, refused=refused, doubtful=doubtful) for node in report.nodes]
    return replace(report, nodes=_renumbered(nodes), build_proved=False, build_reason=failure.message)


def _error_records(details: str) -> list[str]:
    """The errors in a log's tail: other records list nodes that nobody blames."""
    return re.findall(r"^\[(?:INTERNAL_)?ERROR\] (.*(?:\n(?!\[[A-Z_]+\] ).*)*)", details, re.MULTILINE)


def _after_failure(node: NodeSupport, failure: BackendError, *, refused: set[int], doubtful: set[int]) -> NodeSupport:
    if node.index in refused:
        return replace(node, supported=False, evidence=Evidence.BUILD, reason=failure.message, remedy=failure.remedy)
    if node.index in doubtful:
        reason = f"It is inside the part that could not be built: {failure.message}"
        return replace(node, supported=None, evidence=Evidence.BUILD, reason=reason, remedy=failure.remedy)
    return node


def _named(report: SupportReport, cause: Cause) -> set[int]:
    found: set[int] = set()
    for name in cause.nodes:
        # The library appends numbers and roles to the names of its layers: nms_0, if0_OutputLayer.
        indices = (_indices(report, shorter) for shorter in _shorter_names(name))
        found |= next((known for known in indices if known), set())
    if not found and cause.op_type:
        found = {node.index for node in report.nodes if node.op_type == cause.op_type}
    return found


def _indices(report: SupportReport, name: str) -> set[int]:
    return {node.index for node in report.nodes if node.name == name}


def _shorter_names(name: str) -> list[str]:
    names = [name]
    while (cut := _SUFFIX.sub("", names[-1])) != names[-1] and cut:
        names.append(cut)
    return names


def _inside_range(report: SupportReport, node_range: tuple[str, str] | None) -> set[int]:
    """The nodes of a fused part, unless it is so large a share of the model that naming it would say nothing."""
    if node_range is None:
        return set()
    first, last = (_indices(report, name) for name in node_range)
    if not first or not last:
        return set()
    covered = {node.index for node in report.nodes if min(first) <= node.index <= max(last)}
    return covered if len(covered) * 2 <= len(report.nodes) else set()


def _renumbered(nodes: list[NodeSupport]) -> tuple[NodeSupport, ...]:
    partition, in_run, numbered = -1, False, []
    for node in nodes:
        partition += 1 if node.supported and not in_run else 0
        in_run = bool(node.supported)
        numbered.append(replace(node, partition=partition if in_run else -1))
    return tuple(numbered)
