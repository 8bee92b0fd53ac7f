from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.block_bootstrap import block_length, bootstrap_intervals
from trt_core.analysis.order_statistics import independent_samples, quantile_interval


def series(lag: float, count: int, seed: int = 3) -> np.ndarray:
    """Lognormal samples, each like the one before."""
    rng = np.random.default_rng(seed)
    score = np.zeros(count)
    for number in range(1, count):
        score[number] = lag * score[number - 1] + np.sqrt(1 - lag**2) * rng.normal()
    return np.exp(0.25 * score)


def test_independent_samples_get_what_scipys_bootstrap_gives():
    stats = pytest.importorskip("scipy.stats")
    samples = np.random.default_rng(1).lognormal(0.0, 0.25, 2_000)
    for quantile, found in zip((0.5, 0.9, 0.99), bootstrap_intervals(samples, (0.5, 0.9, 0.99)), strict=True):
        other = stats.bootstrap(
            (samples,),
            lambda values, axis, share=quantile: np.quantile(values, share, axis=axis),
            n_resamples=500,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        assert found == pytest.approx((other.low, other.high), rel=0.02)


def test_blocks_widen_the_interval_of_samples_that_resemble_each_other():
    samples = series(0.9, 2_000)
    (apart,) = bootstrap_intervals(samples, (0.5,), effective=2_000)
    (together,) = bootstrap_intervals(samples, (0.5,))
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])
    # It stays narrower than the ranks, which is why no verdict rests on it.
    ranks = quantile_interval(np.sort(samples), 0.5, effective=independent_samples(samples))
    assert together[1] - together[0] < ranks[1] - ranks[0]


def test_a_tail_of_fewer_than_ten_gets_none():
    samples = np.random.default_rng(2).normal(1.0, 0.01, 1_000)
    assert bootstrap_intervals(samples[:999], (0.99,)) == (None,)
    assert bootstrap_intervals(samples, (0.99,)) != (None,)
    assert bootstrap_intervals(samples, (0.999, 0.001)) == (None, None)


def test_the_same_samples_get_the_same_interval():
    samples = series(0.5, 500)
    assert bootstrap_intervals(samples, (0.5,)) == bootstrap_intervals(samples.copy(), (0.5,))
    assert bootstrap_intervals(samples, (0.5,), seed=1) != bootstrap_intervals(samples, (0.5,))


@pytest.mark.parametrize(("count", "worth", "length"), [(1_000, 1_000, 2), (1_000, 250, 18), (100_000, 100_000, 200)])
def test_blocks_are_as_long_as_the_dependence_asks(count, worth, length):
    assert block_length(count, worth) == length
