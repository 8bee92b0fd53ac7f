"""Statistics of a latency run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from trt_core.analysis.order_statistics import Floats, independent_samples, quantile_interval
from trt_core.domain.latency import LatencySummary

P99_SAMPLES = 1_000  # below, about ten samples or fewer lie in the tail
P99_9_SAMPLES = 10_000


def summarize(samples_ms: Sequence[float] | Floats, *, wall_s: float, batch: int) -> LatencySummary:
    """Percentiles by linear interpolation (NumPy's default), population standard deviation, inferences a second.

    The intervals of p50 and p99 are distribution-free order statistics at 95 %, for as many samples as those given, in
    the order taken, are worth when they follow each other (`independent_samples`); None where even their count is too
    small.
    `throughput_per_s` is samples times batch over `wall_s`, the time from the first to the last one. ValueError for no
    samples, a value that is not finite, or no time.
    """
    samples = finite_samples(samples_ms)
    if wall_s <= 0 or batch < 1:
        raise ValueError(f"a run of {wall_s} s with batch {batch} has no throughput")
    ordered = np.sort(samples)
    effective = independent_samples(samples)
    p50, p90, p95, p99 = np.percentile(ordered, (50, 90, 95, 99))
    return LatencySummary(
        count=len(ordered),
        min_ms=float(ordered[0]),
        mean_ms=float(ordered.mean()),
        p50_ms=float(p50),
        p90_ms=float(p90),
        p95_ms=float(p95),
        p99_ms=float(p99),
        max_ms=float(ordered[-1]),
        p50_ci95_ms=quantile_interval(ordered, 0.50, effective=effective),
        p99_ci95_ms=quantile_interval(ordered, 0.99, effective=effective),
        std_ms=float(ordered.std()),
        throughput_per_s=len(ordered) * batch / wall_s,
    )


def trtexec_percentile(samples_ms: Sequence[float] | Floats, percentile: float) -> float:
    """The sample that trtexec would print: rank n-1-int((1-p/100)·n) in float32 arithmetic, no interpolation.

    float32 matters: (1-99/100)·100 truncates to 0, so p99 of 100 samples is their maximum. The rule is that of
    TensorRT's sampleReporting.cpp.
    """
    ordered = np.sort(finite_samples(samples_ms))
    share = np.float32(1) - np.float32(percentile) / np.float32(100)
    excluded = int(share * np.float32(len(ordered)))
    return float(ordered[max(len(ordered) - 1 - excluded, 0)])


@dataclass(frozen=True, kw_only=True)
class Ecdf:
    """Steps of an empirical distribution: latency in ms, share of samples at or below it, and its 95 % band."""

    x_ms: Floats
    share: Floats
    low: Floats
    high: Floats


def ecdf(samples_ms: Sequence[float] | Floats, *, points: int = 2_000, confidence: float = 0.95) -> Ecdf:
    """The empirical distribution with the band of Dvoretzky, Kiefer and Wolfowitz, in Massart's constant (1990).

    Arrays of float64, ascending; more samples than `points` are thinned evenly in rank, but for the slowest, a quarter
    of the points, which are all kept. The band holds for the whole curve at once, for independent samples: half-width
    sqrt(ln(2/alpha)/(2n)).
    """
    ordered = np.sort(finite_samples(samples_ms))
    count = len(ordered)
    tail = min(points // 4, count)
    evenly = np.linspace(0, count - 1, min(points - tail, count)).round().astype(np.int64)
    ranks = np.union1d(evenly, np.arange(count - tail, count))
    share = (ranks + 1) / count
    half = sqrt(log(2.0 / (1.0 - confidence)) / (2.0 * count))
    return Ecdf(x_ms=ordered[ranks], share=share, low=np.maximum(share - half, 0.0), high=np.minimum(share + half, 1.0))


def finite_samples(samples_ms: Sequence[float] | Floats) -> Floats:
    """The samples as float64; ValueError when there are none or one is not finite."""
    samples = np.asarray(samples_ms, dtype=np.float64)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"latency samples of shape {samples.shape}: a list of at least one is needed")
    if not np.isfinite(samples).all():
        raise ValueError("a latency sample is not finite")
    return samples
