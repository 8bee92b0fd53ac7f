"""Limits of a paired drop hold for every sample size, and agree with SciPy where SciPy has them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from trt_core.analysis.paired import ALPHA, BETA, binomial_floor, binomial_limit, drop_limit, is_limit_within, loss_tail


@pytest.mark.parametrize(("successes", "samples"), [(0, 10), (3, 50), (120, 7764), (7000, 7764), (1, 1_000_000)])
def test_binomial_limits_are_those_of_clopper_and_pearson(successes: int, samples: int):
    exact = stats.binomtest(successes, samples)
    interval = exact.proportion_ci(confidence_level=1 - 2 * BETA, method="exact")

    assert binomial_limit(successes, samples, BETA) == pytest.approx(interval.high, abs=1e-11)
    assert binomial_floor(successes, samples, BETA) == pytest.approx(interval.low, abs=1e-11)


def test_all_successes_have_no_upper_limit():
    assert binomial_limit(10, 10, BETA) == 1.0


@pytest.mark.parametrize(
    ("samples", "difference", "drop", "rate"),
    [(50, 3, 0.1, 0.2), (7764, 9, 0.005, 0.03), (500, -4, -0.02, 0.05), (2000, 640, 0.3, 0.4), (7, 7, 0.5, 0.9)],
)
def test_the_tail_is_that_of_a_binomial_mixture(samples: int, difference: int, drop: float, rate: float):
    discordant = np.arange(samples + 1)
    losses = np.floor((difference + discordant) / 2)
    share = (rate + drop) / 2 / rate
    expected = (stats.binom.pmf(discordant, samples, rate) * stats.binom.cdf(losses, discordant, share)).sum()

    assert loss_tail(samples, difference, drop, rate) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("samples", [12, 25])
def test_the_limit_covers_the_true_drop_with_95_percent_whatever_the_rates(samples: int):
    limits = {
        (lost, gained): drop_limit(samples, lost, gained)
        for lost, gained in itertools.product(range(samples + 1), repeat=2)
        if lost + gained <= samples
    }
    # Every outcome is weighed with its probability: this is the coverage itself, not an estimate of it.
    for loss, gain in [(0.0, 0.0), (0.02, 0.02), (0.1, 0.05), (0.3, 0.1), (0.05, 0.3), (0.45, 0.45), (0.2, 0.0)]:
        covered = sum(
            stats.multinomial.pmf([lost, gained, samples - lost - gained], samples, [loss, gain, 1 - loss - gain])
            for (lost, gained), limit in limits.items()
            if limit >= loss - gain - 1e-9
        )
        assert covered >= 1 - ALPHA, (loss, gain)


def test_the_limit_covers_in_simulation_without_being_far_too_wide():
    rng = np.random.default_rng(7)
    samples, loss, gain = 2000, 0.02, 0.012
    outcomes = rng.multinomial(samples, [loss, gain, 1 - loss - gain], size=100)
    limits = np.array([drop_limit(samples, int(lost), int(gained)) for lost, gained, _ in outcomes])

    assert 0.9 <= (limits >= loss - gain).mean() <= 1.0
    normal = 1.645 * np.sqrt((loss + gain) / samples)
    assert np.median(limits) - (loss - gain) < 1.5 * normal


def test_more_losses_never_lower_the_limit():
    limits = [drop_limit(400, lost, 5) for lost in range(0, 60, 6)]

    assert limits == sorted(limits)
    assert drop_limit(400, 5, 5) > 0.0
    assert drop_limit(400, 0, 40) < 0.0


@pytest.mark.parametrize(("samples", "lost", "gained"), [(1, 0, 0), (40, 2, 0), (400, 0, 40), (7764, 103, 59)])
def test_a_limit_is_within_itself_and_not_within_less(samples: int, lost: int, gained: int):
    limit = drop_limit(samples, lost, gained)

    assert is_limit_within(samples, lost, gained, limit + 1e-9)
    assert is_limit_within(samples, lost, gained, 1.0)
    assert not is_limit_within(samples, lost, gained, limit - 1e-9)
    assert not is_limit_within(samples, lost, gained, -1.0)
