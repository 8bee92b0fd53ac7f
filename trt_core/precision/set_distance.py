"""How far apart two sets of samples lie at a tensor, and how far one set lies from itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from trt_core.precision.histogram import BINS, MagnitudeHistogram

# Of 6,000 pairs of sets drawn from the same digits, 8 to 512 samples in each, at the tensors of both trained samples, 3
# lay further apart than both of these, all of them beside a set of 8 samples. Inverted pictures are at 2 in the input,
# and in the median of the tensors behind it at 0.7 (CNN) and 0.2 (transformer).
_PARTS = 4
_LEAST = 0.1
_TIMES_NOISE = 3.0


class PartedHistogram:
    """A histogram whose additions go to four parts in turn, so that a set can be held against itself."""

    def __init__(self) -> None:
        self._parts = tuple(MagnitudeHistogram() for _ in range(_PARTS))
        self.additions = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count one more batch in the part whose turn it is."""
        mine = self._parts[self.additions % _PARTS]
        if mine.limit == 0.0:
            # The bins of one part are then those of another, or several of them together.
            mine.limit = max(part.limit for part in self._parts)
        mine.add(values)
        self.additions += 1

    def whole(self) -> MagnitudeHistogram:
        """All parts together: the same counts as one histogram would have."""
        one, two, three, four = self._parts
        return one.plus(two).plus(three.plus(four))

    def halves(self) -> Iterator[tuple[MagnitudeHistogram, MagnitudeHistogram]]:
        """The three ways to take two parts against the other two."""
        one, two, three, four = self._parts
        yield one.plus(two), three.plus(four)
        yield one.plus(three), two.plus(four)
        yield one.plus(four), two.plus(three)


def distance(first: MagnitudeHistogram, second: MagnitudeHistogram) -> float:
    """By how much magnitudes differ on average, of the first set's mean magnitude; inf where the first is all zero.

    The Wasserstein distance of the two distributions: the area between their cumulative shares. Unlike a total
    variation it does not count a shift by a hair for as much as one by the whole range.
    """
    (edges, shares), (others, other_shares) = _cumulative(first), _cumulative(second)
    places = np.union1d(edges, others)
    apart = np.abs(np.interp(places, edges, shares) - np.interp(places, others, other_shares))
    area = float(np.trapezoid(apart, places))
    mean = float(np.trapezoid(1.0 - shares, edges))
    if area == 0.0:
        return 0.0
    return area / mean if mean > 0.0 else math.inf


def noise(parted: PartedHistogram, others: int) -> float | None:
    """The distance to expect of a set of `others` batches that is like this one; None where this has fewer than four.

    It is the largest of those between halves: a single pair may lie close by chance. Means of n and m batches differ by
    sqrt(1/n + 1/m), those of the halves by sqrt(4/n).
    """
    if parted.additions < _PARTS:
        return None
    scale = max(1.0, math.sqrt((1.0 + parted.additions / others) / 4.0))
    return scale * max(distance(one, other) for one, other in parted.halves())


def is_apart(far: float, expected: float | None) -> bool:
    """Whether two sets lie further apart than chance has them; never where nothing is known of chance."""
    return expected is not None and far > max(_LEAST, _TIMES_NOISE * expected)


def _cumulative(seen: MagnitudeHistogram) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The share of values up to each edge of the bins; all of them at 0 where nothing else was seen."""
    edges = np.linspace(0.0, seen.limit or 1e-30, BINS + 1)
    counts = seen.zeros + np.concatenate([[0], np.cumsum(seen.counts)])
    total = max(1, int(counts[-1]))
    return edges, counts / total
