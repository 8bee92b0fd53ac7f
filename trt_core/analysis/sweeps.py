"""Sweeps read: the sweet spot under a latency limit, and where one profile should be two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.domain.latency import LatencySummary
from trt_core.domain.sweeps import Shapes, Sweep, SweepPoint

PERCENTILES = ("p50", "p90", "p95", "p99")


def latency_at(summary: LatencySummary, percentile: str) -> float:
    """The latency of a summary at `p50`, `p90`, `p95` or `p99`; ValueError for another."""
    if percentile not in PERCENTILES:
        raise ValueError(f"percentile {percentile!r} is none of {PERCENTILES}")
    return float(getattr(summary, f"{percentile}_ms"))


def sweet_spot(sweep: Sweep, *, limit_ms: float, percentile: str = "p99") -> SweepPoint | None:
    """The point of highest throughput whose latency keeps the limit at that percentile; None when none does."""
    able = [
        (point.summary.throughput_per_s, -latency_at(point.summary, percentile), point)
        for point in sweep.points
        if point.summary is not None and latency_at(point.summary, percentile) <= limit_ms
    ]
    return max(able, key=lambda item: item[:2])[2] if able else None


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


def against_references(
    points: Sequence[SweepPoint], references: Sequence[SweepPoint], percentile: str = "p50"
) -> tuple[dict[int, float], dict[int, float]]:
    """Latency by size of a sweep, and of what stands for static engines: for the shapes that both measured.

    Only points with one stream count. The size is the first dimension in which the sweep's shapes differ; of several
    references for one shape the fastest counts.
    """
    mine, static = _by_shapes(points, percentile), _by_shapes(references, percentile)
    axis = _swept(list(mine))
    shared = [shapes for shapes in mine if shapes in static]
    return (
        {_size(shapes, axis): mine[shapes] for shapes in shared},
        {_size(shapes, axis): static[shapes] for shapes in shared},
    )


def _by_shapes(points: Sequence[SweepPoint], percentile: str) -> dict[Shapes, float]:
    found: dict[Shapes, float] = {}
    for point in points:
        if point.summary is not None and point.conditions is not None and point.setting.streams == 1:
            shapes, latency = point.conditions.shapes, latency_at(point.summary, percentile)
            found[shapes] = min(latency, found.get(shapes, latency))
    return found


def _swept(found: Sequence[Shapes]) -> tuple[int, int]:
    """The first (input, dimension) in which shapes differ, by position; the very first where none does."""
    for tensor, (_, dims) in enumerate(found[0] if found else ()):
        for axis in range(len(dims)):
            if len({shapes[tensor][1][axis] for shapes in found}) > 1:
                return tensor, axis
    return 0, 0


def _size(shapes: Shapes, axis: tuple[int, int]) -> int:
    dims = shapes[axis[0]][1] if shapes else ()
    return dims[axis[1]] if dims else 1
