"""Whether the samples of a measurement stand for themselves."""

from __future__ import annotations

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.validation import FLOOR_METRICS, GroupBounds, Judgement, Measured, bounds_words


def dependence_findings(measured: Measured, judgement: Judgement) -> tuple[Finding, ...]:
    """What the bounds take for independent: the samples, or the groups that the label file names."""
    if measured.metric in FLOOR_METRICS or judgement.relative_drop is None:
        return ()
    if judgement.by_groups is not None:
        return (_counts_samples(judgement, judgement.by_groups),)
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
            remedy="Where there are such samples, add an array groups to the label file, or a third column to that of "
            "pictures: one whole number a sample, the same for all of one original.",
        ),
    )


def _counts_samples(judgement: Judgement, groups: GroupBounds) -> Finding:
    """The verdict takes the samples of one group for independent; what it would be without that."""
    differs = groups.verdict is not judgement.verdict
    needed = f" About {groups.groups_needed:,} groups would tell." if groups.groups_needed else ""
    return Finding(
        rule="verdict-counts-samples",
        severity=Severity.WARNING if differs else Severity.NOTE,
        message=f"The verdict counts samples, which come from {groups.groups:,} groups. Counted by those it is "
        f"{'' if differs else 'also '}{groups.verdict.value}.{needed}",
        remedy="Let the verdict count groups, and validate with more originals." if differs else "",
        evidence=f"One-sided 95 % bounds on the relative drop: {_bounds(judgement.low, judgement.high)} over samples, "
        f"{_bounds(groups.low, groups.high)} over groups.",
    )


def _bounds(low: float | None, high: float | None) -> str:
    return "none" if low is None or high is None else bounds_words(low, high, "{:.2%}".format)
