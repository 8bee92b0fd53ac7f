"""What the plots and tables of latency runs draw: bins, thinned series, percentile rows, nodes by time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_core.analysis.block_bootstrap import bootstrap_intervals
from trt_core.analysis.latency import P99_9_SAMPLES, finite_samples, trtexec_percentile
from trt_core.analysis.order_statistics import Floats, independent_samples, quantile_interval

_SHOWN_SHARE = 99.5  # percentile at which the plots' time axis ends: one stall must not flatten all the rest
_LOG_FROM = 8.0
_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, kw_only=True)
class TimeAxis:
    """The span of a time axis in ms, and whether it has to be logarithmic to be read."""

    low_ms: float
    high_ms: float
    is_log: bool

    @property
    def ticks_ms(self) -> tuple[float, ...]:
        """1, 2 and 5 of every decade inside a logarithmic axis."""
        first, last = math.floor(math.log10(self.low_ms)), math.ceil(math.log10(self.high_ms))
        steps = (digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5))
        return tuple(step for step in steps if self.low_ms <= step <= self.high_ms)


def time_axis(series: Sequence[Sequence[float] | Floats]) -> TimeAxis:
    """From the smallest sample to the largest 99.5th percentile of the series; logarithmic over a factor of eight."""
    samples = [finite_samples(one) for one in series]
    low = min(float(one.min()) for one in samples)
    high = max(float(np.percentile(one, _SHOWN_SHARE)) for one in samples)
    if low > 0 and high / low > _LOG_FROM:
        return TimeAxis(low_ms=low / 1.05, high_ms=high * 1.05, is_log=True)
    margin = 0.03 * (high - low) or 0.05 * low
    return TimeAxis(low_ms=max(0.0, low - margin), high_ms=high + margin, is_log=False)


@dataclass(frozen=True, kw_only=True)
class SharedHistogram:
    """Several series in the same bins: `shares` are of each series, `beyond` counts samples right of the axis."""

    axis: TimeAxis
    edges_ms: Floats
    shares: tuple[Floats, ...]
    beyond: tuple[int, ...]


def shared_histogram(series: Sequence[Sequence[float] | Floats], *, bins: int = 60) -> SharedHistogram:
    """Histograms of several series over `time_axis`, as shares of each series; bins are equally wide on that axis."""
    samples = [finite_samples(one) for one in series]
    axis = time_axis(samples)
    edges = (np.geomspace if axis.is_log else np.linspace)(axis.low_ms, axis.high_ms, bins + 1)
    counts = [np.histogram(one, edges)[0] for one in samples]
    return SharedHistogram(
        axis=axis,
        edges_ms=edges,
        shares=tuple(count / len(one) for count, one in zip(counts, samples, strict=True)),
        beyond=tuple(int((one > axis.high_ms).sum()) for one in samples),
    )


@dataclass(frozen=True, kw_only=True)
class OverTime:
    """A series in the order taken: sample numbers from 1, and lowest, median and highest of as many neighbours."""

    number: Floats
    low_ms: Floats
    median_ms: Floats
    high_ms: Floats
    neighbours: int

    @property
    def above_ms(self) -> Floats:
        """From the median up to the highest."""
        return self.high_ms - self.median_ms

    @property
    def below_ms(self) -> Floats:
        """From the median down to the lowest."""
        return self.median_ms - self.low_ms


def over_time(samples_ms: Sequence[float] | Floats, *, points: int = 1_500) -> OverTime:
    """Every sample by itself, or blocks of neighbours where there are more samples than `points`."""
    samples = finite_samples(samples_ms)
    neighbours = -(-len(samples) // points)
    starts = np.arange(0, len(samples), neighbours)
    blocks = [samples[start : start + neighbours] for start in starts]
    return OverTime(
        number=np.array([start + (len(block) + 1) / 2 for start, block in zip(starts, blocks, strict=True)]),
        low_ms=np.minimum.reduceat(samples, starts),
        median_ms=np.array([np.median(block) for block in blocks]),
        high_ms=np.maximum.reduceat(samples, starts),
        neighbours=neighbours,
    )


@dataclass(frozen=True, kw_only=True)
class PercentileRow:
    """One percentile under both rules; `beyond` is how many samples lie above it.

    `interpolated_ms` is None where the samples are too few to print it; `ci95_ms` (ranks) and `bootstrap_ci95_ms`
    (blocks of neighbours) where they give no interval.
    """

    percentile: float
    interpolated_ms: float | None
    ci95_ms: tuple[float, float] | None
    bootstrap_ci95_ms: tuple[float, float] | None
    trtexec_ms: float | None
    beyond: int


def percentile_rows(samples_ms: Sequence[float] | Floats) -> tuple[PercentileRow, ...]:
    """p50, p90, p95, p99 and p99.9: by linear interpolation with its interval, and as trtexec prints it.

    Samples are in the order taken, in ms; the intervals are those of `summarize`.
    """
    samples = finite_samples(samples_ms)
    ordered, effective = np.sort(samples), independent_samples(samples)
    resampled = bootstrap_intervals(samples, [percentile / 100.0 for percentile in _PERCENTILES], effective=effective)
    rows = []
    for percentile, drawn in zip(_PERCENTILES, resampled, strict=True):
        enough = percentile <= 99.0 or len(ordered) >= P99_9_SAMPLES
        value = float(np.percentile(ordered, percentile))
        rows.append(
            PercentileRow(
                percentile=percentile,
                interpolated_ms=value if enough else None,
                ci95_ms=quantile_interval(ordered, percentile / 100.0, effective=effective) if enough else None,
                bootstrap_ci95_ms=drawn if enough else None,
                trtexec_ms=trtexec_percentile(ordered, percentile) if enough else None,
                beyond=int((ordered > value).sum()),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class NodeTime:
    """One node of a profiled run: mean ms, and its share of the sum over all nodes."""

    name: str
    op_type: str
    mean_ms: float
    share: float


def node_times(layers: Sequence[tuple[str, str, float]]) -> tuple[NodeTime, ...]:
    """The nodes of a profiled run, the slowest first."""
    total = sum(mean_ms for _, _, mean_ms in layers) or 1.0
    found = [NodeTime(name=name, op_type=op, mean_ms=ms, share=ms / total) for name, op, ms in layers]
    return tuple(sorted(found, key=lambda node: -node.mean_ms))


def op_times(layers: Sequence[tuple[str, str, float]]) -> tuple[tuple[str, int, float, float], ...]:
    """(op, nodes, mean ms a run, share) summed over the nodes of each op, the slowest first."""
    sums: dict[str, tuple[int, float]] = {}
    for node in node_times(layers):
        count, spent = sums.get(node.op_type, (0, 0.0))
        sums[node.op_type] = (count + 1, spent + node.mean_ms)
    total = sum(spent for _, spent in sums.values()) or 1.0
    rows = [(op, count, spent, spent / total) for op, (count, spent) in sums.items()]
    return tuple(sorted(rows, key=lambda row: -row[2]))
