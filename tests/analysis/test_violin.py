from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.violin import violin


def test_the_density_stands_where_the_samples_are():
    rng = np.random.default_rng(1)
    shape = violin(np.concatenate([rng.normal(1.0, 0.01, 9_000), rng.normal(1.2, 0.01, 1_000)]))

    assert shape.at_ms[int(np.argmax(shape.density))] == pytest.approx(1.0, abs=0.01)
    valley = shape.density[(shape.at_ms > 1.08) & (shape.at_ms < 1.12)]
    second = shape.density[(shape.at_ms > 1.18) & (shape.at_ms < 1.22)]
    assert valley.max() < 0.02 < second.max() < 0.3


def test_the_slowest_sample_is_never_thinned_away():
    samples = np.random.default_rng(2).lognormal(0.0, 0.1, 100_000)
    samples[31_415] = 50.0
    shape = violin(samples)

    assert shape.tail_ms[0] == 50.0
    assert len(shape.tail_ms) <= 400
    assert shape.at_ms.max() < 2.0  # one stall does not stretch the body


def test_quartiles_are_those_of_all_samples():
    samples = np.arange(1.0, 1_002.0)
    assert violin(samples).quartiles_ms == (251.0, 501.0, 751.0)


@pytest.mark.parametrize("samples", [[1.0, 1.0], [2.0] * 100, [0.5]])
def test_samples_without_spread_have_a_shape_too(samples):
    shape = violin(samples)
    assert np.isfinite(shape.density).all()
    assert np.isfinite(shape.at_ms).all()
