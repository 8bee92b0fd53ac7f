from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from polygraphy.comparator import CosineSimilarityCompareFunc, IterationResult, L2CompareFunc, SnrCompareFunc
from polygraphy.logger import G_LOGGER

from trt_core.analysis.error_sums import BLOCK, ErrorSums
from trt_core.domain.divergence import TensorError


def error(baseline, candidate) -> TensorError:
    sums = ErrorSums()
    sums.add(np.asarray(baseline), np.asarray(candidate))
    return sums.result()


def noisy(size: int, noise: float = 1e-2, offset: float = 0.3, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(size, dtype=np.float32) + np.float32(offset)
    return x, x + np.float32(noise) * rng.standard_normal(size, dtype=np.float32)


@pytest.mark.parametrize("size", [1, 7, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12345])
@pytest.mark.parametrize("noise", [1e-6, 1e-2, 3.0])
def test_every_figure_equals_its_formula_in_double_precision(size: int, noise: float) -> None:
    x, y = noisy(size, noise)
    # The difference is taken in the tensors' own precision, where for close values it is exact.
    d = (x - y).astype(np.float64)
    a, b = x.astype(np.float64), y.astype(np.float64)
    found = error(x, y)
    assert found.sqnr_db == pytest.approx(10 * math.log10(a @ a / (d @ d)), abs=1e-6)
    assert found.rel_l2 == pytest.approx(math.sqrt(d @ d / (a @ a)), rel=1e-6)
    assert found.cosine == pytest.approx(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b), abs=1e-7)
    assert found.max_abs == np.abs(x - y).max()
    assert found.mean_abs == pytest.approx(np.abs(d).mean(), rel=1e-6)
    assert (found.nan, found.inf) == (0, 0)


@pytest.mark.parametrize("size", [10, 5000, 300_000])
@pytest.mark.parametrize("noise", [1e-4, 1e-1, 2.0])
def test_figures_agree_with_polygraphys_comparators(size: int, noise: float) -> None:
    x, y = noisy(size, noise)
    found = error(x, y)

    def theirs(function, field: str) -> float:
        with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
            result = function(IterationResult({"t": x}), IterationResult({"t": y}))
        return getattr(result["t"], field)

    norm = math.sqrt(float(np.square(x, dtype=np.float64).sum()))
    assert found.cosine == pytest.approx(theirs(CosineSimilarityCompareFunc(), "cosine_similarity"), abs=1e-6)
    assert found.sqnr_db == pytest.approx(theirs(SnrCompareFunc(), "snr"), abs=1e-5)
    assert found.rel_l2 == pytest.approx(theirs(L2CompareFunc(), "l2_norm") / norm, rel=1e-6)


@pytest.mark.parametrize("size", [10, 5000, 300_000])
@pytest.mark.parametrize("noise", [1e-4, 1e-1, 2.0])
def test_in_double_precision_figures_agree_with_polygraphys_comparators_to_a_millionth(size: int, noise: float) -> None:
    """Polygraphy computes in the arrays' own dtype: in single precision its SNR is good to 1e-5 dB only."""
    x, y = (array.astype(np.float64) for array in noisy(size, noise))
    found, norm = error(x, y), math.sqrt(float(np.square(x).sum()))
    for ours, function, field, scale in (
        (found.cosine, CosineSimilarityCompareFunc(), "cosine_similarity", 1.0),
        (found.sqnr_db, SnrCompareFunc(), "snr", 1.0),
        (found.rel_l2, L2CompareFunc(), "l2_norm", norm),
    ):
        with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
            result = function(IterationResult({"t": x}), IterationResult({"t": y}))
        assert ours == pytest.approx(getattr(result["t"], field) / scale, abs=1e-6), field


def test_adding_piece_by_piece_equals_adding_at_once() -> None:
    x, y = noisy(200_000)
    whole, pieces = ErrorSums(), ErrorSums()
    whole.add(x, y)
    for start in range(0, 200_000, 4321):
        pieces.add(x[start : start + 4321], y[start : start + 4321])
    for name in ("sqnr_db", "cosine", "max_abs", "mean_abs", "rel_l2"):
        assert getattr(pieces.result(), name) == pytest.approx(getattr(whole.result(), name), rel=1e-7)


def test_equal_arrays_have_no_error() -> None:
    x, _ = noisy(1000)
    assert error(x, x) == TensorError(sqnr_db=math.inf, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0)


def test_two_arrays_of_zeros_are_equal() -> None:
    assert error(np.zeros(9, np.float32), np.zeros(9, np.float32)).sqnr_db == math.inf


def test_noise_where_the_baseline_is_zero_is_all_noise() -> None:
    found = error(np.zeros(9, np.float32), np.ones(9, np.float32))
    assert (found.sqnr_db, found.cosine, found.rel_l2) == (-math.inf, 0.0, math.inf)


def test_elements_that_become_non_finite_are_counted_and_ruin_the_ratio() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    found = error(x, np.array([1.0, np.nan, np.inf, 4.5], np.float32))
    assert (found.nan, found.inf, found.sqnr_db) == (1, 1, -math.inf)
    assert found.max_abs == 0.5
    assert math.isnan(found.cosine)
    assert found.rel_l2 == math.inf


def test_a_candidate_without_a_finite_element_has_no_error_that_looks_small() -> None:
    found = error(np.ones(4, np.float32), np.full(4, np.nan, np.float32))
    assert (found.nan, found.sqnr_db, found.rel_l2) == (4, -math.inf, math.inf)
    assert all(math.isnan(value) for value in (found.cosine, found.max_abs, found.mean_abs))


def test_a_mask_of_infinities_that_survives_is_no_error() -> None:
    x = np.array([1.0, -np.inf, 3.0, np.nan], np.float32)
    found = error(x, x.copy())
    assert (found.nan, found.inf, found.sqnr_db) == (0, 0, math.inf)


def test_values_whose_squares_overflow_single_precision_are_measured_all_the_same() -> None:
    x = np.array([1e30, -2e30], np.float32)
    assert error(x, x * np.float32(1.5)).rel_l2 == pytest.approx(0.5, rel=1e-6)


def test_values_whose_squares_underflow_single_precision_are_measured_all_the_same() -> None:
    x = np.array([1e-30, -2e-30], np.float32)
    assert error(x, x * np.float32(1.5)).rel_l2 == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floating_dtypes_are_compared_by_value(dtype) -> None:
    x = np.array([1.0, 2.0, -3.0], np.float32)
    assert error(x, x.astype(dtype)).sqnr_db == math.inf
    assert error(x, (2 * x).astype(dtype)).rel_l2 == pytest.approx(1.0)


def test_arrays_of_different_sizes_are_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        error(np.zeros(3), np.zeros(4))
