"""Value histograms of a strided sample, filled as values come."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from trt_core.domain.divergence import ValueHistogram
from trt_core.protocols import Array

BINS = 40
VALUES = 4096  # of one tensor in one sample
_MARGIN = 0.1  # of the first sample's range, so that later samples and candidates mostly fall inside


def strided_sample(array: Array) -> npt.NDArray[np.float64]:
    """At most 4,096 finite values, evenly spread over the flattened array."""
    flat = array.reshape(-1)
    # An odd stride does not lock onto the power-of-two rows that most tensors have.
    stride = math.ceil(flat.size / VALUES) | 1 if flat.size > VALUES else 1
    values = flat[::stride].astype(np.float64)
    return values[np.isfinite(values)]


class HistogramSet:
    """Histograms of one tensor under several labels with the same edges.

    The edges come from the first values that are added, those of the baseline's first sample, widened by a tenth on
    both sides; what falls outside later is counted in the first or last bin, and shows in `low` and `high`.
    """

    def __init__(self) -> None:
        self._edges: npt.NDArray[np.float64] | None = None
        self._counts: dict[str, npt.NDArray[np.int64]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}

    def add(self, label: str, values: npt.NDArray[np.float64]) -> None:
        """Count finite values under a label."""
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        if self._edges is None:
            margin = (high - low) * _MARGIN or max(abs(low) * _MARGIN, 1e-6)
            self._edges = np.linspace(low - margin, high + margin, BINS + 1)
        first, width = self._edges[0], (self._edges[-1] - self._edges[0]) / BINS
        bins = np.clip((values - first) / width, 0, BINS - 1).astype(np.int64)
        counted = np.bincount(bins, minlength=BINS)
        self._counts[label] = self._counts[label] + counted if label in self._counts else counted
        before = self._ranges.get(label, (low, high))
        self._ranges[label] = (min(before[0], low), max(before[1], high))

    def result(self) -> tuple[ValueHistogram, ...]:
        """One histogram a label, in the order in which the labels came."""
        if self._edges is None:
            return ()
        edges = tuple(float(edge) for edge in self._edges)
        return tuple(
            ValueHistogram(
                label=label,
                edges=edges,
                counts=tuple(int(count) for count in counts),
                low=self._ranges[label][0],
                high=self._ranges[label][1],
            )
            for label, counts in self._counts.items()
        )
