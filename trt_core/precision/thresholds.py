"""How a magnitude is chosen from a histogram: everything, a percentile, or least loss of information."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trt_core.domain.precision import CalibrationMethod
from trt_core.precision.histogram import BINS, MagnitudeHistogram

_LEVELS = 128  # magnitudes that symmetric INT8 can tell apart
_Counts = npt.NDArray[np.float64]


def choose_threshold(histogram: MagnitudeHistogram, method: CalibrationMethod, percentile: float) -> float:
    """The magnitude that becomes the end of the range; 0 for a tensor in which nothing but zeros was seen."""
    if histogram.amax == 0.0 or method is CalibrationMethod.MINMAX:
        return histogram.amax
    if method is CalibrationMethod.PERCENTILE:
        return percentile_threshold(histogram, percentile)
    return entropy_threshold(histogram)


def percentile_threshold(histogram: MagnitudeHistogram, percentile: float) -> float:
    """The upper edge of the bin below which `percentile` percent of all values lie, zeros included."""
    total = histogram.zeros + int(histogram.counts.sum())
    reached = histogram.zeros + np.cumsum(histogram.counts)
    position = int(np.searchsorted(reached, total * percentile / 100.0))
    return min((min(position, BINS - 1) + 1) * histogram.limit / BINS, histogram.amax)


def entropy_threshold(histogram: MagnitudeHistogram) -> float:
    """The threshold whose 128-level quantization loses least information (Kullback-Leibler divergence).

    The method of S. Migacz, "8-bit Inference with TensorRT", GTC 2017: for each number of bins i from 128 to 2048 the
    reference P is the first i bins with all outliers added to the last; Q is the same bins without the outliers, merged
    into 128 levels, each level spread evenly over its bins that are not empty. The i with the least KL(P || Q) wins;
    the threshold is (i + 0.5) bin widths, at most the largest magnitude seen. Exact zeros are left out of the counts.

    One addition: an empty last bin that receives outliers counts as one value in Q. Otherwise a lone outlier would make
    every cut infinitely bad, and set the range by itself.
    """
    counts = histogram.counts.astype(np.float64)
    sizes = np.arange(_LEVELS, BINS + 1)
    divergence = _divergences(counts, sizes)
    best = int(sizes[int(np.argmin(divergence))])
    return float(min((best + 0.5) * histogram.limit / BINS, histogram.amax))


def _divergences(counts: _Counts, sizes: npt.NDArray[np.intp]) -> _Counts:
    """KL(P || Q) for each number of bins kept, from prefix sums: no loop over bins.

    sum P log(P / Q) = sum P log P - sum over levels of P(level) log Q(level), as Q is constant in a level where P > 0.
    """
    total = counts.sum()
    summed = np.concatenate([[0.0], np.cumsum(counts)])
    filled = np.concatenate([[0.0], np.cumsum(counts > 0)])
    share = counts / total
    logs = np.concatenate([[0.0], np.cumsum(_times_log(share))])
    outliers = total - summed[sizes]
    last = counts[sizes - 1]
    own = logs[sizes - 1] + _times_log((last + outliers) / total)
    edges = (np.arange(_LEVELS + 1)[None, :] * sizes[:, None]) // _LEVELS
    level_sum, level_filled = np.diff(summed[edges], axis=1), np.diff(filled[edges], axis=1)
    reference = level_sum / total
    reference[:, -1] += outliers / total
    stand_in = ((last == 0) & (outliers > 0)).astype(np.float64)
    level_sum[:, -1] += stand_in
    level_filled[:, -1] += stand_in
    with np.errstate(divide="ignore", invalid="ignore"):
        candidate = level_sum / level_filled / level_sum.sum(axis=1, keepdims=True)
        crossed = np.where(reference > 0, reference * np.log(candidate), 0.0).sum(axis=1)
    return np.asarray(own - crossed)


def _times_log(values: _Counts) -> _Counts:
    return np.where(values > 0, values * np.log(np.where(values > 0, values, 1.0)), 0.0)
