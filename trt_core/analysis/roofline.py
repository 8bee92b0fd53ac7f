"""How near each layer comes to what the device can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from trt_core.analysis.engine_layers import LayerRow
from trt_core.domain.device_rates import DeviceRates
from trt_core.domain.precision import Precision

LAUNCH_FLOOR_MS = 0.005  # below, a kernel's start weighs as much as its work (the threshold of NVIDIA's perf analysis)


class Bound(Enum):
    """What keeps a layer from being faster."""

    MEMORY = "memory bandwidth"
    COMPUTE = "matrix rate"
    LAUNCH = "launch"
    UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class RoofPoint:
    """One layer against the roof. `floor_ms` is the least it could take, `attained` that floor over its time."""

    name: str
    position: int
    precision: Precision
    time_ms: float
    intensity: float | None  # operations a byte
    ops_per_s: float | None
    bytes_per_s: float | None
    floor_ms: float | None
    attained: float | None
    bound: Bound


def roofline(rows: Sequence[LayerRow], peak: DeviceRates) -> tuple[RoofPoint, ...]:
    """Every timed layer against the device: max(bytes / bandwidth, operations / rate) (Williams et al., 2009).

    Bytes are those of inputs, outputs and weights, each counted once: what stays in the L2 cache makes a layer look
    better than the roof. A layer whose floor is below the launch floor, and which takes no more than twice that, is
    bound by its launch.
    """
    return tuple(_point(row, peak) for row in rows if row.time_ms)


def _point(row: LayerRow, peak: DeviceRates) -> RoofPoint:
    seconds = (row.time_ms or 0.0) / 1000.0
    operations = 2.0 * row.macs if row.macs else None
    rate = peak.ops_per_s(row.precision)
    memory_s = row.moved_bytes / peak.bytes_per_s if row.moved_bytes else None
    compute_s = operations / rate if operations and rate else None
    floors = [item for item in (memory_s, compute_s) if item is not None]
    floor = max(floors) * 1000.0 if floors else None
    return RoofPoint(
        name=row.name,
        position=row.position,
        precision=row.precision,
        time_ms=row.time_ms or 0.0,
        intensity=operations / row.moved_bytes if operations and row.moved_bytes else None,
        ops_per_s=operations / seconds if operations else None,
        bytes_per_s=row.moved_bytes / seconds if row.moved_bytes else None,
        floor_ms=floor,
        attained=floor / (row.time_ms or 1.0) if floor is not None else None,
        bound=_bound(row.time_ms or 0.0, floor, memory_s or 0.0, compute_s or 0.0),
    )


def _bound(time_ms: float, floor_ms: float | None, memory_s: float, compute_s: float) -> Bound:
    if floor_ms is None:
        return Bound.UNKNOWN
    if floor_ms < LAUNCH_FLOOR_MS and time_ms < 2 * LAUNCH_FLOOR_MS:
        return Bound.LAUNCH
    return Bound.MEMORY if memory_s >= compute_s else Bound.COMPUTE
