"""How far two sets lie apart, told from histograms, and a histogram in parts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from trt_core.precision.histogram import MagnitudeHistogram
from trt_core.precision.set_distance import PartedHistogram, distance, is_apart, noise


def seen(values):
    histogram = MagnitudeHistogram()
    histogram.add(np.asarray(values, np.float32))
    return histogram


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 30.0])
def test_the_distance_is_that_of_the_values_over_their_mean(scale):
    rng = np.random.default_rng(0)
    first, second = np.maximum(rng.standard_normal(20_000), 0), scale * rng.standard_normal(20_000)

    expected = wasserstein_distance(first, np.abs(second)) / first.mean()
    assert distance(seen(first), seen(second)) == pytest.approx(expected, rel=0.01, abs=0.002)


def test_a_set_is_at_no_distance_from_itself_and_infinitely_far_from_zeros():
    values, zeros = seen(np.linspace(0, 1, 100)), seen(np.zeros(100))

    assert distance(values, values) == distance(zeros, zeros) == 0.0
    assert distance(zeros, values) == np.inf
    assert distance(values, zeros) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("widths", [(1, 1, 1), (1, 40, 3), (0, 5, 1), (7, 0, 0, 9000, 1), (1e-4, 1e6)])
def test_all_parts_together_are_the_histogram_of_everything(widths):
    rng = np.random.default_rng(1)
    whole, parted = MagnitudeHistogram(), PartedHistogram()
    for width in widths:
        values = (width * rng.standard_normal(500)).astype(np.float32)
        whole.add(values)
        parted.add(values)

    both = parted.whole()

    assert (both.limit, both.zeros, both.low, both.high) == (whole.limit, whole.zeros, whole.low, whole.high)
    assert both.counts.tolist() == whole.counts.tolist()


def test_sets_that_are_alike_are_told_apart_five_times_in_a_hundred_at_most():
    rng = np.random.default_rng(2)
    apart = []
    for _ in range(100):
        first, second = PartedHistogram(), MagnitudeHistogram()
        for _ in range(4):
            first.add(rng.normal(rng.normal(4), 1.0, 64).astype(np.float32))  # each batch is of one kind
        second.add(rng.normal(rng.normal(4), 1.0, 64).astype(np.float32))
        apart.append(is_apart(distance(first.whole(), second), noise(first, 1)))
    assert np.mean(apart) <= 0.05
