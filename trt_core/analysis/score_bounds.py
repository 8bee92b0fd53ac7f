"""Bounds on the mean of scores that are not just right or wrong."""

from __future__ import annotations

import math

from trt_core.analysis.paired import ALPHA
from trt_core.domain.validation import ScoreSums

NORMAL = 1.6448536269514722  # the 95 % quantile of the normal distribution
_FEW = (6.313752, 2.919986, 2.353363, 2.131847)  # those of Student's t with 1 to 4 degrees of freedom
# Of the next terms of the quantile in powers of 1 / degrees: Abramowitz and Stegun, Handbook of Mathematical Functions
# (1964), 26.7.5. From 5 degrees on, four of them are right to 4e-5.
_TERMS = (
    (NORMAL**3 + NORMAL) / 4,
    (5 * NORMAL**5 + 16 * NORMAL**3 + 3 * NORMAL) / 96,
    (3 * NORMAL**7 + 19 * NORMAL**5 + 17 * NORMAL**3 - 15 * NORMAL) / 384,
    (79 * NORMAL**9 + 776 * NORMAL**7 + 1482 * NORMAL**5 - 1920 * NORMAL**3 - 945 * NORMAL) / 92160,
)
_ALIKE = 1e-6  # of the scores: below, differences spread by no more than single precision rounds
_STUDENT = (
    "one-sided 95 % bounds on the mean difference by Student's t: normal differences, samples or groups independent"
)
_EQUAL = (
    "all samples differ alike, which has no spread to go by: the bounds allow, at 95 %, for samples of a kind not "
    "among them, each losing or gaining a whole score"
)


def score_bounds(sums: ScoreSums) -> tuple[float, float, str] | None:
    """One-sided 95 % limits of the relative drop, lower and upper, and how they were told; None for a single sample.

    Limits are those of Student's t. Where every difference is the same, t would have no width and prove anything: then
    samples of another kind may make up any share that has a chance of 5 % not to show among these, 1 - 0.05^(1/n), and
    each of them may lose, or gain, as much as the baseline scores. It takes 598 samples without any difference to
    prove 0.5 %, as it does for right and wrong answers. A mean that is not finite needs no second sample.
    """
    n, baseline = sums.samples, sums.baseline / sums.samples
    mean = (sums.baseline - sums.candidate) / n
    if not math.isfinite(mean):
        return math.inf, math.inf, _STUDENT
    if n < 2:
        return None
    squares = sums.baseline_squares - 2 * sums.products + sums.candidate_squares
    variance = max(0.0, squares / n - mean**2) * n / (n - 1)
    drop = mean / baseline
    if variance <= _ALIKE**2 * (sums.baseline_squares + sums.candidate_squares) / n:
        unseen = 1.0 - ALPHA ** (1.0 / n)
        seen, width = (1.0 - unseen) * drop, unseen * max(1.0, abs(drop))
        return seen - width, seen + width, _EQUAL
    half = student_quantile(n - 1) * math.sqrt(variance / n) / baseline
    return drop - half, drop + half, _STUDENT


def student_quantile(degrees: int) -> float:
    """The 95 % quantile of Student's t."""
    if degrees <= len(_FEW):
        return _FEW[degrees - 1]
    return NORMAL + math.fsum(term / degrees**power for power, term in enumerate(_TERMS, 1))


def scaled_sums(sums: ScoreSums, samples: int) -> ScoreSums:
    """The sums of so many samples whose scores are spread as these are."""
    factor = samples / sums.samples
    return ScoreSums(
        samples=samples,
        baseline=sums.baseline * factor,
        candidate=sums.candidate * factor,
        baseline_squares=sums.baseline_squares * factor,
        candidate_squares=sums.candidate_squares * factor,
        products=sums.products * factor,
    )
