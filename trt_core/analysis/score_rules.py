"""Whether the scores of a measurement mean what a verdict takes them for."""

from __future__ import annotations

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.validation import FLOOR_METRICS, LABEL_METRICS, Judgement, Measured

_NOTHING = Finding(
    rule="baseline-scores-nothing",
    severity=Severity.BLOCKER,
    message="The model itself scores 0 on these samples, of which no candidate can lose a share: there is no verdict.",
    remedy="Check that the labels are in the samples' order and count from 0, that the right output is scored, and "
    "that the samples are prepared as in training.",
)


def score_findings(measured: Measured, judgement: Judgement) -> tuple[Finding, ...]:
    """A model that is never right or guesses, and a metric of the user's own that seems to count errors."""
    found = []
    if measured.baseline == 0.0:
        found.append(_NOTHING)
    elif measured.majority is not None and measured.baseline is not None and measured.baseline <= measured.majority:
        found.append(_guesses(measured.baseline, measured.majority))
    own = measured.metric not in (*FLOOR_METRICS, *LABEL_METRICS)
    if own and judgement.low is not None and judgement.high is not None and judgement.high < -judgement.tolerance:
        found.append(_gains(measured, judgement.low, judgement.high))
    return tuple(found)


def _guesses(baseline: float, majority: float) -> Finding:
    return Finding(
        rule="model-guesses",
        severity=Severity.WARNING,
        message=f"The model itself is right on {baseline:.1%} of the samples; the most frequent class alone would be "
        f"on {majority:.1%}. A verdict on such a model says nothing.",
        remedy="Check that the labels are in the samples' order and count from 0, and that the samples are resized and "
        "normalized as in training.",
    )


def _gains(measured: Measured, low: float, high: float) -> Finding:
    return Finding(
        rule="larger-is-taken-for-better",
        severity=Severity.WARNING,
        message=f"The candidate's {measured.metric} is larger than the model's, {measured.value:.4g} against "
        f"{measured.baseline:.4g}, and larger is taken for better. Low precision seldom gains: is it an error?",
        remedy="Let score return what grows as the error falls, such as 1 / (1 + error).",
        evidence=f"One-sided 95 % bounds on the relative drop: {low:.2%} to {high:.2%}.",
    )
