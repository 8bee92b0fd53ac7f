"""Sweeps read: the sweet spot under a latency limit, and where one profile should be two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.analysis.cost import OperatingPoint, best_point
from trt_core.domain.latency import LatencySummary
from trt_core.domain.sweeps import Sweep, SweepPoint

PERCENTILES = ("p50", "p90", "p95", "p99")


def latency_at(summary: LatencySummary, percentile: str) -> float:
    """The latency of a summary at `p50`, `p90`, `p95` or `p99`; ValueError for another."""
    if percentile not in PERCENTILES:
        raise ValueError(f"percentile {percentile!r} is none of {PERCENTILES}")
    return float(getattr(summary, f"{percentile}_ms"))


def operating_points(sweep: Sweep, percentile: str) -> tuple[OperatingPoint, ...]:
    """The measured points as ways to serve."""
    return tuple(
        OperatingPoint(
            batch=point.setting.batch,
            streams=point.setting.streams,
            latency_ms=latency_at(point.summary, percentile),
            inferences_per_s=point.summary.throughput_per_s,
        )
        for point in sweep.points
        if point.summary is not None
    )


def sweet_spot(sweep: Sweep, *, limit_ms: float, percentile: str = "p99") -> SweepPoint | None:
    """The point of highest throughput whose latency keeps the limit at that percentile; None when none does."""
    best = best_point(operating_points(sweep, percentile), limit_ms=limit_ms)
    if best is None:
        return None
    return next(
        point
        for point in sweep.points
        if point.summary is not None and (point.setting.batch, point.setting.streams) == (best.batch, best.streams)
    )


@dataclass(frozen=True, kw_only=True)
class ProfileRange:
    """A stretch of sizes that one optimization profile serves; `slowdown` is its worst ratio to a static engine."""

    low: int
    high: int
    slowdown: float


def split_profiles(
    dynamic_ms: Mapping[int, float], static_ms: Mapping[int, float], *, tolerance: float = 0.1
) -> tuple[ProfileRange, ...]:
    """Ranges of sizes for profiles of their own: neighbours belong together while both keep, or both lose, tolerance.

    `dynamic_ms` is one engine with one profile over the sizes, `static_ms` engines built for one size each. One range
    means that the profile is fine as it is, or wrong everywhere: its `slowdown` says which. ValueError where the two
    share no size.
    """
    sizes = sorted(set(dynamic_ms) & set(static_ms))
    if not sizes:
        raise ValueError("no size was measured with both")
    ratios = [dynamic_ms[size] / static_ms[size] for size in sizes]
    ranges: list[ProfileRange] = []
    begin = 0
    for place in range(1, len(sizes) + 1):
        ends = place == len(sizes) or (ratios[place] > 1 + tolerance) != (ratios[begin] > 1 + tolerance)
        if ends:
            worst = max(ratios[begin:place])
            ranges.append(ProfileRange(low=sizes[begin], high=sizes[place - 1], slowdown=worst))
            begin = place
    return tuple(ranges)


def by_size(points: Sequence[SweepPoint], percentile: str = "p50") -> dict[int, float]:
    """Latency by batch for the points with one stream."""
    return {
        point.setting.batch: latency_at(point.summary, percentile)
        for point in points
        if point.summary is not None and point.setting.streams == 1
    }
