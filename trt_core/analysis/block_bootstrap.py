"""Bootstrap intervals of percentiles for samples that follow each other.

They stand beside the intervals of ranks, for readers who compare with tools that give them. No verdict rests on them:
on dependent samples they hold the truth less often than they promise (docs/benchmarks/statistics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from trt_core.analysis.order_statistics import Floats, independent_samples

Whole = npt.NDArray[np.int64]
_DRAWS = 500
_MOST_BLOCKS = 500  # longer blocks than needed cost nothing while there are so many
_EDGES = 200
_BEYOND = 10  # with fewer samples beyond a quantile, resamples hold the same few again and again


def bootstrap_intervals(
    samples: Floats, quantiles: Sequence[float], *, effective: int | None = None, seed: int = 0
) -> tuple[tuple[float, float] | None, ...]:
    """Percentile intervals at 95 % over 500 seeded resamples of blocks of neighbours (Carlstein, 1986).

    `samples` are in the order taken; `effective` is what `independent_samples` finds in them, and sets the blocks'
    length. None for a quantile with fewer than ten samples on either side.
    """
    count = len(samples)
    worth = min(effective or independent_samples(samples), count)
    length = block_length(count, worth)
    blocks = count // length
    order = np.argsort(samples, kind="stable")
    ranks = np.empty(count, dtype=np.int64)
    ranks[order] = np.arange(count)
    kept = ranks[: blocks * length].reshape(blocks, length)
    weights = _weights(blocks, seed)
    found: list[tuple[float, float] | None] = []
    for quantile in quantiles:
        if round(count * min(quantile, 1.0 - quantile), 6) < _BEYOND:
            found.append(None)
            continue
        edges = _edges(count, quantile, stretch=count / worth)
        counts = weights @ _below(kept, edges)
        places = np.minimum((counts < quantile * blocks * length).sum(axis=1), len(edges) - 1)
        low, high = np.percentile(edges[places], (2.5, 97.5)).round().astype(int)
        found.append((float(samples[order[low]]), float(samples[order[high]])))
    return tuple(found)


def block_length(count: int, worth: int) -> int:
    """Neighbours a block: the length that Politis and White (2004) find best for a first-order series."""
    share = worth / count
    lag = (1.0 - share) / (1.0 + share)
    best = (1.5 * (2.0 * lag / (1.0 - lag**2)) ** 2 * count) ** (1.0 / 3.0) if lag > 0 else 1.0
    return max(1, min(ceil(best), count // 10), ceil(count / _MOST_BLOCKS))


@lru_cache(maxsize=16)
def _weights(blocks: int, seed: int) -> npt.NDArray[np.float32]:
    """How often each resample holds each block; at most a MiB, and runs of one length share it."""
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=_DRAWS)
    return drawn.astype(np.float32)


def _edges(count: int, quantile: float, *, stretch: float) -> Whole:
    """Ranks between which a resample's quantile is looked for: six deviations either way."""
    reach = 6.0 * sqrt(count * quantile * (1.0 - quantile) * stretch) + 1.0
    ends = max(0.0, count * quantile - reach), min(count - 1.0, count * quantile + reach)
    return np.unique(np.linspace(*ends, _EDGES).astype(np.int64))


def _below(kept: Whole, edges: Whole) -> npt.NDArray[np.float32]:
    """How many samples of each block have a rank up to each edge."""
    width = len(edges) + 1
    cells = np.searchsorted(edges, kept) + width * np.arange(len(kept))[:, None]
    counts = np.bincount(cells.ravel(), minlength=width * len(kept)).reshape(len(kept), width)
    return counts.cumsum(axis=1)[:, :-1].astype(np.float32)
