"""How near each layer comes to what the device can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from trt_core.analysis.engine_layers import LayerRow
from trt_core.domain.precision import Precision

LAUNCH_FLOOR_MS = 0.005  # below, a kernel's start weighs as much as its work (the threshold of NVIDIA's perf analysis)


class Bound(Enum):
    """What keeps a layer from being faster."""

    MEMORY = "memory bandwidth"
    COMPUTE = "matrix rate"
    LAUNCH = "launch"
    UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A device: bytes a second, and operations a second by precision (a multiply-accumulate is two).

    `source` says whether it was measured, or is a data sheet's figure without sparsity.
    """

    name: str
    bytes_per_s: float
    ops_per_s: Mapping[Precision, float] = field(default_factory=dict)
    source: str = "data sheet, without sparsity"


def _peak(name: str, tb_s: float, tera_ops: tuple[float, float, float, float]) -> Peak:
    fp32, tf32, fp16, int8 = tera_ops
    rates = {Precision.FP32: fp32, Precision.TF32: tf32, Precision.FP16: fp16, Precision.BF16: fp16}
    rates |= {Precision.INT8: int8, Precision.FP8: int8}
    return Peak(name=name, bytes_per_s=tb_s * 1e12, ops_per_s={key: rate * 1e12 for key, rate in rates.items() if rate})


# NVIDIA's data sheets: TB/s, then tera-operations a second in FP32, TF32, FP16 and INT8, dense.
PEAKS: tuple[Peak, ...] = (
    _peak("H200", 4.8, (67, 495, 989, 1979)),
    _peak("H100 SXM", 3.35, (67, 495, 989, 1979)),
    _peak("A100 80GB", 2.039, (19.5, 156, 312, 624)),
    _peak("A10", 0.6, (31.2, 62.5, 125, 250)),
    _peak("L4", 0.3, (30.3, 60, 121, 242)),
    _peak("T4", 0.32, (8.1, 0, 65, 130)),
)


def peak_of(device: str) -> Peak | None:
    """The data sheet's figures of a device whose name is in its words; None for others."""
    words = device.upper().replace("-", " ").split()
    return next((peak for peak in PEAKS if peak.name.split()[0] in words), None)


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


def roofline(rows: Sequence[LayerRow], peak: Peak) -> tuple[RoofPoint, ...]:
    """Every timed layer against the device: max(bytes / bandwidth, operations / rate) (Williams et al., 2009).

    Bytes are those of inputs, outputs and weights, each counted once: what stays in the L2 cache makes a layer look
    better than the roof. A layer whose floor is below the launch floor, and which takes no more than twice that, is
    bound by its launch.
    """
    return tuple(_point(row, peak) for row in rows if row.time_ms)


def _point(row: LayerRow, peak: Peak) -> RoofPoint:
    seconds = (row.time_ms or 0.0) / 1000.0
    operations = 2.0 * row.macs if row.macs else None
    rate = peak.ops_per_s.get(row.precision)
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
