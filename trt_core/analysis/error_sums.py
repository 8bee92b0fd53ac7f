"""Error statistics of one tensor, accumulated over any number of arrays without keeping them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from trt_core.domain.divergence import TensorError
from trt_core.protocols import Array

BLOCK = 1 << 16  # elements: a block's difference stays in the processor's cache
ROW = 1 << 12  # elements summed in single precision before double precision takes over
_TINY = 1e-24  # below it, squares in single precision may have lost digits to underflow

Floats = npt.NDArray[np.floating[Any]]


class ErrorSums:
    """Running sums of a baseline x and a candidate y, elements in any order.

    The sums are double precision over rows of single-precision products. Elements at which both are the same
    infinity or both NaN agree and are left out of the sums; others that are not finite in y are counted.
    `baseline_nan` is how many elements of x are NaN, whatever y has there.
    """

    def __init__(self) -> None:
        self.baseline_nan = 0
        self._signal = 0.0  # sum of x²
        self._cross = 0.0  # sum of x (x - y)
        self._noise = 0.0  # sum of (x - y)²
        self._absolute = 0.0
        self._max = 0.0
        self._count = 0
        self._nan = 0
        self._inf = 0

    def add(self, baseline: Array, candidate: Array) -> None:
        """Add two arrays of one shape and any floating dtype; ValueError where the element counts differ."""
        if baseline.size != candidate.size:
            raise ValueError(f"{baseline.shape} cannot be compared with {candidate.shape}")
        wide = np.dtype(np.float64) in (baseline.dtype, candidate.dtype)
        kind = np.dtype(np.float64 if wide else np.float32)
        first, second = baseline.reshape(-1), candidate.reshape(-1)
        scratch = np.empty(min(BLOCK, first.size), kind)
        with np.errstate(all="ignore"):
            for start in range(0, first.size, BLOCK):
                x = first[start : start + BLOCK].astype(kind, copy=False)
                y = second[start : start + BLOCK].astype(kind, copy=False)
                self._add_block(x, y, scratch[: x.size])

    def _add_block(self, x: Floats, y: Floats, difference: Floats) -> None:
        np.subtract(x, y, out=difference)
        signal, cross, noise = _dot(x, x), _dot(x, difference), _dot(difference, difference)
        np.abs(difference, out=difference)
        largest = float(difference.max())
        in_range = math.isfinite(signal + noise + largest)
        if not in_range or (largest > 0.0 and min(signal, noise) < _TINY):
            self._add_with_care(x.astype(np.float64), y.astype(np.float64))
            return
        self._signal += signal
        self._cross += cross
        self._noise += noise
        self._absolute += float(difference.sum())
        self._max = max(self._max, largest)
        self._count += x.size

    def _add_with_care(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
        self.baseline_nan += int(np.count_nonzero(np.isnan(x)))
        agree = (x == y) | (np.isnan(x) & np.isnan(y))
        self._nan += int(np.count_nonzero(np.isnan(y) & ~agree))
        self._inf += int(np.count_nonzero(np.isinf(y) & ~agree))
        finite = np.isfinite(x) & np.isfinite(y)
        x, y = x[finite], y[finite]
        if not x.size:
            return
        difference = x - y
        self._signal += float(np.dot(x, x))
        self._cross += float(np.dot(x, difference))
        self._noise += float(np.dot(difference, difference))
        self._absolute += float(np.abs(difference).sum())
        self._max = max(self._max, float(np.abs(difference).max()))
        self._count += x.size

    def result(self) -> TensorError:
        """The error of all that was added; the absolute errors are those of the finite elements.

        No ratio of powers and no angle is told of a candidate that is not finite where the baseline is: what is left
        of it may look perfect.
        """
        broken = self._nan + self._inf > 0
        measured = self._count > 0 or not broken
        return TensorError(
            sqnr_db=-math.inf if broken else _decibel(self._signal, self._noise),
            cosine=math.nan if broken else self._cosine(),
            max_abs=self._max if measured else math.nan,
            mean_abs=self._absolute / max(1, self._count) if measured else math.nan,
            rel_l2=math.inf if broken else _ratio(self._signal, self._noise),
            nan=self._nan,
            inf=self._inf,
        )

    def _cosine(self) -> float:
        # y = x - d, so x·y = x·x - x·d and y·y = x·x - 2 x·d + d·d.
        candidate = self._signal - 2 * self._cross + self._noise
        if self._noise == 0.0:
            return 1.0
        if self._signal <= 0.0 or candidate <= 0.0:
            return 0.0
        cosine = (self._signal - self._cross) / math.sqrt(self._signal) / math.sqrt(candidate)
        return min(1.0, max(-1.0, cosine))


def _dot(first: Floats, second: Floats) -> float:
    rows = first.size // ROW * ROW
    total = 0.0
    if rows:
        total = float(np.vecdot(first[:rows].reshape(-1, ROW), second[:rows].reshape(-1, ROW)).sum(dtype=np.float64))
    return total + float(np.dot(first[rows:], second[rows:])) if rows < first.size else total


def _decibel(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def _ratio(signal: float, noise: float) -> float:
    if noise == 0.0:
        return 0.0
    return math.sqrt(noise / signal) if signal > 0.0 else math.inf
