"""What has to be said about a search beside its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trt_core.analysis.dependence import dependence_findings
from trt_core.analysis.score_rules import score_findings
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.triage import Evaluation, TriageRun
from trt_core.domain.validation import FLOOR_METRICS


def search_findings(
    evaluations: Sequence[Evaluation], chosen: int, *, metric: str, tolerance: float
) -> tuple[Finding, ...]:
    """Findings on the outcome: not reached, not proven, bought with everything, proven at a price, without labels."""
    found = [*_outcome(evaluations[chosen], tolerance), *_leeway(evaluations, evaluations[chosen])]
    measured, judged = evaluations[chosen].measured, evaluations[chosen].judgement
    found += [*dependence_findings(measured, judged), *score_findings(measured, judged)]
    if metric in FLOOR_METRICS:
        found.append(
            Finding(
                rule="no-labels",
                severity=Severity.NOTE,
                message=f"The search went by {metric} of the outputs, which is not accuracy.",
                remedy="Give labels to search by top-1.",
            )
        )
    return tuple(found)


def told_again(before: TriageRun, after: TriageRun) -> TriageRun:
    """`after`, which is `before` judged anew or with another plan, with what is to be said about that outcome."""
    said = _of(before)
    return replace(after, findings=(*_of(after), *(item for item in before.findings if item not in said)))


def _of(run: TriageRun) -> tuple[Finding, ...]:
    return search_findings(run.evaluations, run.chosen, metric=run.metric, tolerance=run.tolerance)


def _outcome(after: Evaluation, tolerance: float) -> Iterator[Finding]:
    judged = after.judgement
    if judged.within_tolerance is None and judged.relative_drop is not None:
        needed = f"about {judged.samples_needed:,} would do" if judged.samples_needed else "many more are needed"
        yield Finding(
            rule="too-few-samples",
            severity=Severity.WARNING,
            message=f"The samples cannot tell whether the plan stays within {tolerance:.2%}.",
            remedy=f"Validate with more samples: {needed}, if the rates stay as seen.",
        )
    elif judged.within_tolerance is False:
        yield Finding(
            rule="tolerance-not-reached",
            severity=Severity.BLOCKER,
            message="No plan that was tried stays within the tolerance.",
            remedy="Keep the rest in FP32, try another calibration, or allow a larger loss.",
        )
    if after.low_share == 0.0 and after.kept:  # nodes without MACs are lowered, too
        yield Finding(
            rule="nothing-lowered",
            severity=Severity.WARNING,
            message="The plan lowers nothing: it is the model as it was.",
            remedy="Try another precision or calibration, or allow a larger loss.",
        )


def _leeway(evaluations: Sequence[Evaluation], after: Evaluation) -> Iterator[Finding]:
    """What a reader of a plan within the tolerance should know about the others."""
    if not after.judgement.within_tolerance:
        return
    if len(evaluations) > 2:  # plain and all kept are tried in any case
        yield Finding(
            rule="chosen-on-the-same-samples",
            severity=Severity.NOTE,
            message=f"The plan is the best of {len(evaluations)} that were judged on the same samples. Its bound is "
            "that of a plan that was fixed before.",
            remedy="Validate it on samples that the search has not seen.",
        )
    leaner = [one for one in evaluations if one.judgement.within_by_estimate and one.low_share > after.low_share]
    if leaner:
        share = max(one.low_share for one in leaner)
        yield Finding(
            rule="more-samples-could-lower-more",
            severity=Severity.NOTE,
            message=f"A plan with {share:.1%} of the MACs lowered stays within the tolerance by its figure, but these "
            "samples do not prove it.",
            remedy="Validate with more samples to keep fewer nodes.",
        )
