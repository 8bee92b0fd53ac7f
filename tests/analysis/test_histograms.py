from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.histograms import BINS, VALUES, HistogramSet, strided_sample


@pytest.mark.parametrize("size", [1, VALUES, VALUES + 1, 100_000, 1 << 20])
def test_a_strided_sample_is_bounded_and_spread_over_the_array(size: int) -> None:
    sample = strided_sample(np.arange(size, dtype=np.float32))
    assert len(sample) <= VALUES
    assert sample[0] == 0
    assert sample[-1] >= size * 0.99 - 1


def test_values_that_are_not_finite_are_left_out() -> None:
    np.testing.assert_array_equal(strided_sample(np.array([1.0, np.nan, np.inf, 2.0])), [1.0, 2.0])


def test_all_labels_share_the_edges_of_the_first() -> None:
    histograms = HistogramSet()
    histograms.add("fp32", np.linspace(-1, 1, 1001))
    histograms.add("int8", np.linspace(-5, 5, 1001))
    exact, rounded = histograms.result()
    assert exact.edges == rounded.edges
    assert exact.edges[0] == pytest.approx(-1.2)
    assert exact.edges[-1] == pytest.approx(1.2)
    assert (rounded.low, rounded.high) == (-5.0, 5.0)
    assert sum(rounded.counts) == 1001
    assert rounded.counts[0] > 300


def test_counts_agree_with_numpys_histogram() -> None:
    values = np.random.default_rng(0).standard_normal(4000)
    histograms = HistogramSet()
    histograms.add("fp32", values)
    histograms.add("fp32", values)
    (found,) = histograms.result()
    expected, _ = np.histogram(values, bins=np.array(found.edges))
    np.testing.assert_array_equal(found.counts, 2 * expected)
    assert len(found.counts) == BINS


def test_a_constant_tensor_has_a_histogram() -> None:
    histograms = HistogramSet()
    histograms.add("fp32", np.zeros(10))
    (found,) = histograms.result()
    assert sum(found.counts) == 10
    assert found.edges[0] < 0 < found.edges[-1]


def test_nothing_finite_makes_no_histogram() -> None:
    histograms = HistogramSet()
    histograms.add("fp32", np.array([]))
    assert histograms.result() == ()
