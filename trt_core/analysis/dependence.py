"""Whether the samples of a measurement stand for themselves."""

from __future__ import annotations

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.validation import FLOOR_METRICS, Measured


def dependence_findings(measured: Measured) -> tuple[Finding, ...]:
    """What the bounds take for independent: the samples, or the groups that the label file names."""
    if measured.metric in FLOOR_METRICS:
        return ()
    if measured.groups:
        return (
            Finding(
                rule="bounds-count-groups",
                severity=Severity.NOTE,
                message=f"The bounds count {measured.groups:,} groups, not single samples.",
                evidence="The label file holds the array groups.",
            ),
        )
    return (
        Finding(
            rule="samples-taken-for-independent",
            severity=Severity.NOTE,
            message="The bounds take the samples for independent. Copies, crops or frames of one original are not, and "
            "with them the true bounds are wider.",
            remedy="Where there are such samples, add an array groups to the label file: one whole number a sample, "
            "the same for all of one original.",
        ),
    )
