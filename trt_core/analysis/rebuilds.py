"""Several attempts at one build request: what stays the same, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, pstdev

from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.engine import EngineRecord


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
