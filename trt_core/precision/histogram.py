"""What calibration remembers of a tensor: a histogram of magnitudes whose size does not depend on the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 2048


class MagnitudeHistogram:
    """Counts of |x| in 2,048 equal bins from 0 to `limit`, with the least and greatest value seen.

    When a value lies beyond `limit`, `limit` doubles as often as needed and neighbouring bins merge: counts stay exact
    for the coarser bins, and memory stays flat. Infinities, and NaN where it is allowed, are counted apart.
    `extremes_only` leaves the bins empty: enough for the method minmax, and faster.
    """

    def __init__(self, *, extremes_only: bool = False) -> None:
        self.extremes_only = extremes_only
        self.counts: npt.NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.zeros = 0
        self.limit = 0.0
        self.low, self.high = np.inf, -np.inf
        self.infinities = 0
        self.nans = 0

    @property
    def amax(self) -> float:
        """The greatest finite magnitude seen."""
        return max(abs(self.low), abs(self.high)) if self.high >= self.low else 0.0

    def add(self, values: npt.NDArray[Any], *, nan_is_left_out: bool = False) -> None:
        """Count one more batch of values, of any shape; ValueError for NaN, unless it is to be left out."""
        flat = np.asarray(values, np.float32).reshape(-1)
        if nan_is_left_out:
            kept = flat[~np.isnan(flat)]
            self.nans += flat.size - kept.size
            flat = kept
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        if np.isnan(low):
            raise ValueError("NaN has no place in a histogram")
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = flat[np.isfinite(flat)]
            self.infinities += flat.size - finite.size
            if finite.size == 0:
                return
            flat, low, high = finite, float(finite.min()), float(finite.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self.extremes_only:
            return
        self._reach(max(abs(low), abs(high)))
        self._count(np.abs(flat))

    def plus(self, other: MagnitudeHistogram) -> MagnitudeHistogram:
        """Both together; their limits are equal, or apart by a power of two, or one of them is 0."""
        both = MagnitudeHistogram()
        both.limit = max(self.limit, other.limit)
        for one in (self, other):
            merged = 1 if one.limit == 0.0 else round(both.limit / one.limit)
            folded = one.counts.reshape(-1, merged).sum(axis=1) if merged <= BINS else one.counts.sum(keepdims=True)
            both.counts[: folded.size] += folded
            both.zeros += one.zeros
            both.low, both.high = min(both.low, one.low), max(both.high, one.high)
            both.infinities += one.infinities
            both.nans += one.nans
        return both

    def below(self, magnitude: float) -> float:
        """How many values other than zero are smaller; those of the bin where it lies are taken for evenly spread."""
        if self.limit == 0.0:
            return 0.0
        edges = np.arange(BINS + 1) * (self.limit / BINS)
        return float(np.interp(magnitude, edges, np.concatenate([[0], np.cumsum(self.counts)])))

    def _reach(self, amax: float) -> None:
        if amax == 0.0:
            return
        if self.limit == 0.0:
            self.limit = amax
        while amax > self.limit:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            self.limit *= 2.0

    def _count(self, magnitudes: npt.NDArray[np.float32]) -> None:
        nonzero = int(np.count_nonzero(magnitudes))
        self.zeros += magnitudes.size - nonzero
        if nonzero == 0:
            return
        bins = np.multiply(magnitudes, BINS / self.limit, dtype=np.float64).astype(np.intp)
        np.minimum(bins, BINS - 1, out=bins)
        counted = np.bincount(bins, minlength=BINS)
        counted[0] -= magnitudes.size - nonzero  # zeros are exact at every scale, and many after a ReLU
        self.counts += counted
