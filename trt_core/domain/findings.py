"""One result of an analysis, with its evidence and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding matters: a blocker stops the flow, a warning may cost, a note explains."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, by which rule, at which nodes, and what to do about it."""

    rule: str  # kebab-case, stable: links and tests use it
    severity: Severity
    message: str
    remedy: str = ""
    nodes: tuple[str, ...] = ()
    evidence: str = ""

    def __post_init__(self) -> None:
        if not self.rule or not self.message:
            raise ValueError("a finding needs a rule and a message")


def most_severe_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Findings with blockers first, otherwise in the order given."""
    rank = {severity: position for position, severity in enumerate(Severity)}
    return tuple(sorted(findings, key=lambda finding: rank[finding.severity]))


def counted(value: int, noun: str, plural: str = "") -> str:
    """`1 node`, `58 nodes`; with a verb, both are given: `1 layer takes`, `2 layers take`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"
