"""What a load costs: requests a second, GPUs for a load, money."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from trt_core.errors import InvalidInput

_HOURS_A_MONTH = 730.0  # 365 days of 24 hours over twelve months


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One measured way to serve: batch, concurrent streams, the latency a request sees, and throughput of one GPU."""

    batch: int
    streams: int
    latency_ms: float  # at the percentile of the limit
    inferences_per_s: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a load needs and costs. `headroom` is the share of a device that is kept free."""

    point: OperatingPoint
    devices: int
    utilization: float
    per_month: float
    per_million: float
    headroom: float


def cost(point: OperatingPoint, *, load_per_s: float, price_per_hour: float, headroom: float = 0.3) -> Cost:
    """Devices for a steady load, and its price: ceil(load / (throughput x (1 - headroom))).

    `per_million` is the price of a million inferences at that load, idle devices included. Queueing is not modelled:
    the headroom stands for it. InvalidInput for figures that are not above zero, or a headroom of one or more.
    """
    if min(load_per_s, point.inferences_per_s) <= 0 or price_per_hour < 0 or not 0 <= headroom < 1:
        raise InvalidInput(
            f"Load {load_per_s}/s, throughput {point.inferences_per_s}/s, price {price_per_hour}, headroom {headroom}.",
            remedy="Give a load above zero, a price of zero or more, and a headroom from 0 to below 1.",
        )
    devices = ceil(load_per_s / (point.inferences_per_s * (1.0 - headroom)))
    hourly = devices * price_per_hour
    return Cost(
        point=point,
        devices=devices,
        utilization=load_per_s / (devices * point.inferences_per_s),
        per_month=hourly * _HOURS_A_MONTH,
        per_million=hourly / (load_per_s * 3600.0) * 1e6,
        headroom=headroom,
    )
