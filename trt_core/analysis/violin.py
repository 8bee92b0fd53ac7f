"""The shape of a distribution, smoothed, with its tail kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_core.analysis.latency import finite_samples
from trt_core.analysis.order_statistics import Floats

_BODY = 99.5  # percentile up to which the density is drawn: a stall of one sample has no density
_MOST_TAIL = 400


@dataclass(frozen=True, kw_only=True)
class Violin:
    """Density over latency in ms, its highest point 1; the quartiles; samples beyond the body, the slowest first."""

    at_ms: Floats
    density: Floats
    quartiles_ms: tuple[float, float, float]
    tail_ms: Floats


def violin(samples_ms: Sequence[float] | Floats, *, points: int = 120) -> Violin:
    """A Gaussian kernel density with Silverman's bandwidth (1986), over the body of the samples.

    The density is taken from a fine histogram, so that its time does not grow with the number of samples. The tail is
    at most 400 samples, always with the slowest ones.
    """
    ordered = np.sort(finite_samples(samples_ms))
    limit = float(np.percentile(ordered, _BODY))
    body, tail = ordered[ordered <= limit], ordered[ordered > limit]
    low, middle, high = (float(value) for value in np.percentile(ordered, (25, 50, 75)))
    spread = min(float(body.std()), (high - low) / 1.349) or float(body.std()) or abs(middle) * 1e-3 or 1e-9
    bandwidth = 0.9 * spread * len(body) ** -0.2
    at = np.linspace(body[0] - 2 * bandwidth, limit + 2 * bandwidth, points)
    counts, edges = np.histogram(body, bins=min(2_000, max(50, len(body))))
    centres = (edges[:-1] + edges[1:]) / 2.0
    density = np.exp(-0.5 * ((at[:, None] - centres) / bandwidth) ** 2) @ counts
    return Violin(
        at_ms=at,
        density=density / density.max(),
        quartiles_ms=(low, middle, high),
        tail_ms=tail[::-1][:_MOST_TAIL],
    )
