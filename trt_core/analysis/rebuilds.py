"""Several attempts at one build request: what stays the same, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import mean, pstdev

import numpy as np
import numpy.typing as npt

from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.engine import EngineRecord
from trt_core.domain.rebuilds import AttemptLatency, OutputSpread


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """A layer that is not the same in every attempt: what differs, and the distinct values by how often they occur."""

    layer: str
    what: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class RebuildSpread:
    """The spread over attempts at one request.

    `distinct_engines` counts different bytes; `same_layers` is true when the layers of all attempts agree in name,
    kind, kernel and precision. Seconds are those of parse and build.
    """

    attempts: tuple[str, ...]
    seconds: tuple[float, ...]
    engine_bytes: tuple[int, ...]
    distinct_engines: int
    same_layers: bool
    changes: tuple[LayerChange, ...]

    @property
    def mean_s(self) -> float:
        """Mean build time."""
        return mean(self.seconds)

    @property
    def std_s(self) -> float:
        """Population standard deviation of the build time."""
        return pstdev(self.seconds)


def spread(attempts: Sequence[tuple[BuildRecord, EngineRecord]]) -> RebuildSpread:
    """Compare attempts; ValueError for none."""
    if not attempts:
        raise ValueError("no attempt to compare")
    records = [record for _, record in attempts]
    builds = [build for build, _ in attempts]
    changes = _changes(records)
    return RebuildSpread(
        attempts=tuple(build.id for build in builds),
        seconds=tuple(build.seconds for build in builds),
        engine_bytes=tuple(build.engine_bytes for build in builds),
        distinct_engines=len({build.engine_sha256 for build in builds}),
        same_layers=not changes,
        changes=changes,
    )


@dataclass(frozen=True, kw_only=True)
class LatencySpread:
    """How far attempts lie apart: medians in ms, and the two spreads as shares of the lowest median.

    `between` is the highest median over the lowest, less one, each attempt counted with the mean over its rounds;
    `within` is the largest difference between two rounds of one attempt: what a build's change must exceed to mean
    anything. None with one round.
    """

    lowest_ms: float
    highest_ms: float
    between: float
    within: float | None

    @property
    def is_told(self) -> bool | None:
        """True when the attempts differ by more than one of them differs from itself; None with one round."""
        return None if self.within is None else self.between > self.within


def latency_spread(attempts: Sequence[AttemptLatency]) -> LatencySpread | None:
    """The spread of the medians over attempts; None for fewer than two."""
    if len(attempts) < 2:
        return None
    medians = [[item.p50_ms for item in attempt.rounds] for attempt in attempts]
    means = [mean(rounds) for rounds in medians]
    lowest, highest = min(means), max(means)
    again = [max(rounds) - min(rounds) for rounds in medians if len(rounds) > 1]
    return LatencySpread(
        lowest_ms=lowest,
        highest_ms=highest,
        between=highest / lowest - 1.0,
        within=max(again) / lowest if again else None,
    )


def output_spread(name: str, attempts: Sequence[npt.NDArray[np.generic]]) -> OutputSpread:
    """One output over attempts on the same input, against the first one's; distances are infinite where shapes differ.

    Relative L2 is the norm of the difference over the norm of the first.
    """
    first = np.asarray(attempts[0])
    same = [_same_bits(first, np.asarray(other)) for other in attempts]
    others = [np.asarray(other) for other, equal in zip(attempts, same, strict=True) if not equal]
    if any(other.shape != first.shape for other in others):
        return OutputSpread(name=name, identical=sum(same), rel_l2=inf, max_abs=inf)
    base = first.astype(np.float64)
    differences = [other.astype(np.float64) - base for other in others]
    norm = float(np.linalg.norm(base)) or 1.0
    return OutputSpread(
        name=name,
        identical=sum(same),
        rel_l2=max((float(np.linalg.norm(item)) / norm for item in differences), default=0.0),
        max_abs=max((float(np.abs(item).max(initial=0.0)) for item in differences), default=0.0),
    )


def _same_bits(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def _changes(records: Sequence[EngineRecord]) -> tuple[LayerChange, ...]:
    names = [[layer.name for layer in record.layers] for record in records]
    found = []
    if any(other != names[0] for other in names):
        for name in dict.fromkeys(name for listed in names for name in listed):
            present = sum(name in listed for listed in names)
            if present < len(records):
                counts = (("there", present), ("missing", len(records) - present))
                found.append(LayerChange(layer=name, what="presence", values=counts))
    by_name = [{layer.name: layer for layer in record.layers} for record in records]
    for name in by_name[0]:
        layers = [known[name] for known in by_name if name in known]
        for what in ("kind", "kernel", "precision"):
            values = [str(getattr(getattr(layer, what), "value", getattr(layer, what))) for layer in layers]
            if len(set(values)) > 1:
                counted = tuple((value, values.count(value)) for value in dict.fromkeys(values))
                found.append(LayerChange(layer=name, what=what, values=counted))
    return tuple(found)
