"""Intervals that rest on ranks alone, whatever the samples' distribution."""

from __future__ import annotations

from math import lgamma, log, sqrt

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def rank_interval(count: int, quantile: float, *, confidence: float = 0.95) -> tuple[int, int] | None:
    """Ranks (from 0) of the two sorted samples that enclose a quantile; None when so few samples cannot.

    The number of independent samples below the quantile is binomial, so its tails bound the ranks, each at half of
    what confidence leaves (David and Nagaraja, Order Statistics, 7.1). p99 needs 368 samples, p50 needs six.
    """
    if count < 2:
        return None
    tail = (1.0 - confidence) / 2.0
    centre, width = count * quantile, 8.0 * sqrt(count * quantile * (1.0 - quantile)) + 8.0
    first, last = max(0, int(centre - width)), min(count, int(centre + width) + 1)
    steps = np.arange(first, last + 1)
    cumulative = np.cumsum(np.exp([_log_binomial(count, int(k), quantile) for k in steps]))
    below = np.flatnonzero(cumulative <= tail)  # P(at most k samples below) <= tail
    above = np.flatnonzero(cumulative >= 1.0 - tail - 1e-12)
    if not below.size or not above.size:
        return None
    low, high = int(steps[below[-1]]), int(steps[above[0]])
    return (low, high) if high < count else None


def quantile_interval(
    ordered: Floats, quantile: float, *, confidence: float = 0.95, effective: int | None = None
) -> tuple[float, float] | None:
    """The interval of `rank_interval` in the samples' unit; `ordered` is sorted ascending.

    `effective` is the number of independent samples where it is smaller than their count: its ranks are stretched over
    the samples, outwards. Where so few would give no interval, the widest that the samples allow is given: it is still
    too narrow then, and the run's finding says what the samples are worth. None where the count itself is too small.
    """
    count = len(ordered)
    size = min(effective or count, count)
    ranks = rank_interval(size, quantile, confidence=confidence)
    while ranks is None and size < count:
        size = min(count, size + max(1, size // 50))
        ranks = rank_interval(size, quantile, confidence=confidence)
    if ranks is None:
        return None
    low, high = ranks[0] * count // size, -(-(ranks[1] + 1) * count // size) - 1
    return float(ordered[low]), float(ordered[high])


def resampled_medians(ordered: Floats, draws: int, rng: np.random.Generator, *, effective: int | None = None) -> Floats:
    """Medians of `draws` bootstrap resamples of sorted samples, without drawing the resamples.

    A resample's sorted ranks are order statistics of uniform variables, which are Beta distributed: the middle one (or
    two) is drawn directly, so the time does not depend on the number of samples. `effective` is the number of
    independent samples where it is smaller than their count.
    """
    count = len(ordered)
    size = min(effective or count, count)
    lower = (size + 1) // 2
    first = rng.beta(lower, size + 1 - lower, draws)
    if size % 2:
        return _at(ordered, first)
    second = first + (1.0 - first) * rng.beta(1, size - lower, draws)
    return (_at(ordered, first) + _at(ordered, second)) / 2.0


def independent_samples(samples: Floats) -> int:
    """How many independent samples a series is worth: n(1 - r)/(1 + r), with r the lag-one rank autocorrelation.

    Bayley and Hammersley (1946) for a first-order series; ranks keep outliers from hiding the dependence, and equal
    samples share one, as a coarse clock gives many. Never more than the count. A correlation within what independent
    samples show by chance (one-sided, 5 %: 1.645/sqrt(n)) counts as none: else every interval of independent samples
    would be too wide.
    """
    count = len(samples)
    if count < 10:
        return count
    _, places, sizes = np.unique(samples, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes + 1) / 2.0)[places]
    ranks -= ranks.mean()
    power = float(ranks @ ranks)
    lag = float(ranks[:-1] @ ranks[1:]) / power if power else 0.0
    if lag < 1.645 / sqrt(count):
        return count
    lag = min(lag, 0.999)
    return max(2, int(count * (1.0 - lag) / (1.0 + lag)))


def _at(ordered: Floats, uniform: Floats) -> Floats:
    ranks = np.minimum((uniform * len(ordered)).astype(np.int64), len(ordered) - 1)
    return ordered[ranks]


def _log_binomial(count: int, hits: int, chance: float) -> float:
    choose = lgamma(count + 1) - lgamma(hits + 1) - lgamma(count - hits + 1)
    return choose + hits * log(chance) + (count - hits) * log(1.0 - chance)
