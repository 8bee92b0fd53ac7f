"""Verdicts on a candidate: worse, not worse, or too few samples to tell."""

from __future__ import annotations

import math
from dataclasses import replace

from trt_core.analysis.paired import BETA, binomial_floor, binomial_limit, drop_limit, is_limit_within
from trt_core.analysis.score_bounds import NORMAL, scaled_sums, score_bounds
from trt_core.domain.validation import (
    FLOOR_METRICS,
    GroupBounds,
    GroupCounts,
    Judgement,
    Measured,
    PairCounts,
    ScoreSums,
    Verdict,
)

_MOST_SAMPLES = 10_000_000
_SHARE = 1e-9  # sums of shares are whole up to this much rounding
_EXACT = "exact one-sided 95 % bounds on the discordant samples (Berger and Boos 1994), taken for independent"
_GROUPED = "one-sided 95 % bounds on the mean over {groups:,} groups, each counted as one sample; conservative"
_UNBOUNDED = "a single sample has no spread: nothing bounds the drop"
_NOTHING = "the baseline scores nothing, of which no relative drop can be told"
_FLOOR = "the figure against the floor, without a bound"


def judge(measured: Measured, tolerance: float) -> Judgement:
    """Weigh a measurement against a tolerance: a relative drop, or the floor itself for SQNR (dB) and cosine.

    Needs no samples: any tolerance can be tried on a stored measurement. A baseline that scores nothing has no relative
    drop: there it is always too few, without a drop and without bounds. For right and wrong answers the bounds are
    exact, for other scores they are Student's t, and a single such score is always too few.
    """
    if measured.metric in FLOOR_METRICS:
        verdict = Verdict.NOT_WORSE if measured.value >= tolerance else Verdict.WORSE
        return Judgement(verdict=verdict, baseline=None, candidate=measured.value, tolerance=tolerance, method=_FLOOR)
    baseline = measured.baseline or 0.0
    if baseline <= 0.0:
        return Judgement(
            verdict=Verdict.TOO_FEW, baseline=baseline, candidate=measured.value, tolerance=tolerance, method=_NOTHING
        )
    beside = None
    if measured.grouped is not None and not measured.by_groups:
        beside = _beside(measured.grouped, measured, tolerance)
        measured = replace(measured, grouped=None)
    low, high, method = _bounds(measured)
    verdict = _verdict(low, high, tolerance)
    return Judgement(
        verdict=verdict,
        baseline=baseline,
        candidate=measured.value,
        tolerance=tolerance,
        relative_drop=(baseline - measured.value) / baseline,
        low=low,
        high=high,
        samples_needed=_needed(measured, tolerance) if verdict is Verdict.TOO_FEW else None,
        method=method,
        by_groups=beside,
    )


def _bounds(measured: Measured) -> tuple[float | None, float | None, str]:
    """Limits of the relative drop and how they were told; None where nothing bounds it."""
    if measured.grouped is not None:
        return *group_bounds(measured.grouped), _GROUPED.format(groups=measured.grouped.groups)
    if measured.counts is not None:
        return *count_bounds(measured.counts), _EXACT
    if measured.sums is not None:
        return score_bounds(measured.sums) or (None, None, _UNBOUNDED)
    raise ValueError("a measurement without counts or sums cannot be judged")


def _beside(grouped: GroupCounts, measured: Measured, tolerance: float) -> GroupBounds:
    low, high = group_bounds(grouped)
    verdict, counts = _verdict(low, high, tolerance), measured.counts
    needed = _needed(measured, tolerance) if verdict is Verdict.TOO_FEW else None
    scale = grouped.groups / counts.samples if counts else 1.0
    return GroupBounds(
        groups=grouped.groups,
        verdict=verdict,
        low=low,
        high=high,
        groups_needed=None if needed is None else round(needed * scale),
    )


def count_bounds(counts: PairCounts) -> tuple[float, float]:
    """One-sided 95 % limits of the relative drop, lower and upper; each spends ALPHA by itself.

    The drop's limit is divided by a Clopper-Pearson limit of the baseline's accuracy, at an error of BETA taken out of
    ALPHA, so that the quotient holds with 95 %, too. Neither limit lies beyond what such an accuracy allows: from all
    wrong becoming right, 1 - 1 / accuracy, to all right becoming wrong, 1.
    """
    return _lower(counts), _upper(counts)


def _lower(counts: PairCounts) -> float:
    limit = -drop_limit(counts.samples, counts.gained, counts.lost)
    accuracy = _accuracy_limit(counts, from_below=limit < 0.0)
    return -math.inf if accuracy == 0.0 else max(limit, accuracy - 1.0) / accuracy


def _upper(counts: PairCounts) -> float:
    limit = drop_limit(counts.samples, counts.lost, counts.gained)
    accuracy = _accuracy_limit(counts, from_below=limit > 0.0)
    return 1.0 if limit >= accuracy else limit / accuracy


def _accuracy_limit(counts: PairCounts, *, from_below: bool) -> float:
    """A quotient is furthest from zero with the lower limit of the accuracy, nearest with the upper one."""
    limit = binomial_floor if from_below else binomial_limit
    return limit(counts.both + counts.lost, counts.samples, BETA)


def group_bounds(grouped: GroupCounts) -> tuple[float, float]:
    """Limits of the relative drop where only groups are independent: a group counts as one sample.

    A group's share of losses, from 0 to 1, spreads less about its mean than a whole loss of that chance does, so that
    whole losses stand for the shares at a price in width. Sums of shares are rounded against each limit.
    """
    least, most = _whole(grouped)
    return _lower(least), _upper(most)


def _whole(grouped: GroupCounts) -> tuple[PairCounts, PairCounts]:
    """The counts of whole groups for the lower and for the upper limit."""
    down, up = math.floor, math.ceil
    both = down(grouped.both + _SHARE)
    most = PairCounts(
        samples=grouped.groups, both=both, lost=up(grouped.lost - _SHARE), gained=down(grouped.gained + _SHARE)
    )
    least = PairCounts(
        samples=grouped.groups, both=both, lost=down(grouped.lost + _SHARE), gained=up(grouped.gained - _SHARE)
    )
    return least, most


def _verdict(low: float | None, high: float | None, tolerance: float) -> Verdict:
    if low is None or high is None:
        return Verdict.TOO_FEW
    if high <= tolerance:
        return Verdict.NOT_WORSE
    return Verdict.WORSE if low > tolerance else Verdict.TOO_FEW


def _needed(measured: Measured, tolerance: float) -> int | None:
    """Samples after which the verdict would fall, rates unchanged: a normal estimate, confirmed by the exact bound."""
    if measured.sums is not None:
        return _needed_scores(measured.sums, tolerance)
    counts = measured.counts
    if counts is None or counts.baseline == 0.0:
        return None
    gap = abs(tolerance * counts.baseline - (counts.lost - counts.gained) / counts.samples)
    rate = (counts.lost + counts.gained) / counts.samples
    # The normal estimate is that of independent samples; with groups it is where the search begins.
    wanted = max(counts.samples * 1.05, NORMAL**2 * rate / gap**2 if gap > 0.0 else math.inf)
    while wanted <= _MOST_SAMPLES:
        size = round(wanted)
        if measured.grouped is None:
            least = most = _scaled(counts, size)
        else:
            least, most = _whole(_scaled_groups(measured.grouped, size / counts.samples))
        if _is_told(least, most, tolerance):
            return size
        wanted *= 1.1
    return None


def _needed_scores(sums: ScoreSums, tolerance: float) -> int | None:
    wanted = sums.samples * 1.05 if sums.samples > 1 else math.inf  # a single sample says nothing of the spread
    while wanted <= _MOST_SAMPLES:
        size = math.ceil(wanted)
        found = score_bounds(scaled_sums(sums, size))
        if found is not None and _verdict(found[0], found[1], tolerance) is not Verdict.TOO_FEW:
            return size
        wanted *= 1.1
    return None


def _is_told(least: PairCounts, most: PairCounts, tolerance: float) -> bool:
    """Whether `_upper(most)` or `_lower(least)` would tell, without looking for either of them."""
    keeps = _is_within(most, most.lost, most.gained, tolerance)
    return keeps or _is_within(least, least.gained, least.lost, -tolerance)


def _is_within(counts: PairCounts, lost: int, gained: int, tolerance: float) -> bool:
    def holds(accuracy: float) -> bool:
        return is_limit_within(counts.samples, lost, gained, tolerance * accuracy)

    # The accuracy's limit only makes it harder: most counts fail at the accuracy itself and never need it.
    return holds(counts.baseline) and holds(_accuracy_limit(counts, from_below=tolerance >= 0.0))


def _scaled_groups(grouped: GroupCounts, factor: float) -> GroupCounts:
    groups = round(grouped.groups * factor)
    factor = groups / grouped.groups
    return GroupCounts(
        groups=groups, both=grouped.both * factor, lost=grouped.lost * factor, gained=grouped.gained * factor
    )


def _scaled(counts: PairCounts, samples: int) -> PairCounts:
    factor = samples / counts.samples
    lost, gained = round(counts.lost * factor), round(counts.gained * factor)
    both = min(round(counts.both * factor), samples - lost - gained)
    return PairCounts(samples=samples, both=both, lost=lost, gained=gained)
