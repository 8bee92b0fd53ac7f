from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests import models
from tests.precision.running import SAMPLES, digits, sample
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, JobCancelled
from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
from trt_core.precision.histogram import BINS, MagnitudeHistogram
from trt_core.precision.normalize import normalize
from trt_core.precision.thresholds import entropy_threshold, percentile_threshold
from trt_core.testing import CollectingReporter, FakeModel, FakeRunner

X = TensorSpec(name="x", dtype="float32", shape=("batch", 4))


def filled(values: np.ndarray, pieces: int = 1) -> MagnitudeHistogram:
    histogram = MagnitudeHistogram()
    for piece in np.array_split(values.astype(np.float32), pieces):
        histogram.add(piece)
    return histogram


def doubling_runner() -> FakeRunner:
    """One tensor h = 2 x."""
    model = FakeModel(
        inputs=(X,), outputs=("h",), tensors=("h",), compute=lambda feeds: {"h": 2 * feeds["x"], "x": feeds["x"]}
    )
    return FakeRunner({"model.onnx": model})


def ranges(batches, tensors=("h",), method=CalibrationMethod.MINMAX, reporter=None, **options):
    return calibrate(
        Path("model.onnx"),
        tensors,
        lambda: iter(batches),
        method=method,
        runner=doubling_runner(),
        reporter=reporter or CollectingReporter(),
        **options,
    )


def test_minmax_is_the_greatest_magnitude_over_all_batches():
    batches = [{"x": np.full((1, 4), value, np.float32)} for value in (1, -3, 2)]
    (only,) = ranges(batches).ranges
    assert (only.low, only.high, only.scale) == (-6.0, 6.0, pytest.approx(6 / 127))


def test_a_tensor_without_negative_values_starts_at_zero():
    (only,) = ranges([{"x": np.ones((1, 4), np.float32)}]).ranges
    assert (only.low, only.high) == (0.0, 2.0)


def test_a_graph_input_is_observed_without_asking_the_session():
    (only,) = ranges([{"x": np.full((1, 4), 5, np.float32)}], tensors=("x",)).ranges
    assert only.high == 5.0


def test_a_dead_tensor_gets_scale_one_and_a_finding():
    calibration = ranges([{"x": np.zeros((1, 4), np.float32)}])
    assert calibration.ranges[0].scale == 1.0
    assert "dead-tensor" in {finding.rule for finding in calibration.findings}


def test_infinities_are_left_out_with_a_finding():
    calibration = ranges([{"x": np.array([[1, np.inf, -np.inf, 2]], np.float32)}])
    assert calibration.ranges[0].high == 4.0
    assert "infinite-values" in {finding.rule for finding in calibration.findings}


def test_nan_that_an_infinity_became_is_left_out_of_the_ranges():
    def compute(feeds):
        with np.errstate(invalid="ignore"):
            return {"h": feeds["x"] - feeds["x"][:, ::-1]}

    model = FakeModel(inputs=(X,), outputs=("h",), tensors=("h",), compute=compute)
    runner = FakeRunner({"model.onnx": model})
    batches = [{"x": np.array([[np.inf, 3, 1, np.inf]], np.float32)}, {"x": np.array([[4, 1, 1, 0]], np.float32)}]
    calibration = calibrate(
        Path("model.onnx"),
        ("h",),
        lambda: iter(batches),
        method=CalibrationMethod.MINMAX,
        runner=runner,
        reporter=CollectingReporter(),
    )
    assert calibration.ranges[0].high == pytest.approx(4.0)
    (told,) = [finding for finding in calibration.findings if finding.rule == "infinite-values"]
    assert "2 NaN" in told.message


def test_nan_is_refused_by_the_name_of_the_tensor():
    with pytest.raises(InvalidData, match="'h' holds NaN"):
        ranges([{"x": np.array([[1, np.nan, 0, 0]], np.float32)}])


def test_no_samples_are_refused():
    with pytest.raises(InvalidData, match="no samples"):
        ranges([])


@pytest.mark.parametrize(("count", "warned"), [(499, True), (500, False)])
def test_fewer_samples_than_advised_are_a_warning(count, warned):
    calibration = ranges([{"x": np.ones((count, 4), np.float32)}])
    assert ("few-calibration-samples" in {finding.rule for finding in calibration.findings}) == warned


def test_every_batch_reports_progress_and_can_be_cancelled():
    batches = [{"x": np.ones((2, 4), np.float32)}] * 5
    reporter = CollectingReporter()
    ranges(batches, reporter=reporter, samples=10)
    assert [progress.fraction for progress in reporter.reported] == [0.2, 0.4, 0.6, 0.8, 1.0]
    with pytest.raises(JobCancelled):
        ranges(batches, reporter=CollectingReporter(cancel_after=3))


def test_memory_does_not_grow_with_the_number_of_samples():
    def peak(count: int) -> int:
        batches = ({"x": np.ones((100, 4), np.float32)} for _ in range(count))
        tracemalloc.start()
        try:
            ranges(batches, method=CalibrationMethod.ENTROPY)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    assert peak(400) < 1.5 * peak(4)


def test_tensors_to_calibrate_exist_in_the_original_model():
    model, recipe = sample("digits_cnn"), Recipe(precision=Precision.INT8)
    normalized = normalize(model)
    tensors = tensors_to_calibrate(normalized, recipe)
    assert tensors == tensors_to_calibrate(normalized.model, recipe)
    known = {name for node in model.graph.node for name in node.output} | {"image"}
    assert len(tensors) == 12
    assert known.issuperset(tensors)


def test_the_histogram_is_the_same_however_the_data_are_cut():
    values = np.sort(np.abs(np.random.default_rng(0).standard_normal(20_000)))[::-1]
    whole, pieces = filled(values), filled(values, pieces=7)
    assert whole.limit == pieces.limit
    np.testing.assert_array_equal(whole.counts, pieces.counts)


def test_growing_values_double_the_range_and_lose_no_count():
    values = np.geomspace(0.01, 1000, 5000)
    histogram = filled(values, pieces=50)
    assert histogram.limit >= 1000
    assert histogram.counts.sum() + histogram.zeros == 5000
    edges = np.arange(BINS + 1) * histogram.limit / BINS
    reference, _ = np.histogram(values, edges)
    # A value on the border of two bins may fall to either side in FP32.
    assert np.abs(np.cumsum(reference) - np.cumsum(histogram.counts)).max() <= 1


def test_a_percentile_is_that_of_the_values_within_one_bin():
    values = np.abs(np.random.default_rng(1).standard_normal(100_000))
    histogram = filled(values)
    for percentile in (90.0, 99.0, 99.9):
        exact = np.percentile(values, percentile)
        assert exact <= percentile_threshold(histogram, percentile) + 1e-6
        assert percentile_threshold(histogram, percentile) <= exact + 2 * histogram.limit / BINS
    assert percentile_threshold(histogram, 100.0) == histogram.amax


def divergence_by_the_book(counts: np.ndarray, size: int) -> float:
    """KL(P || Q) written down step by step, for one number of bins."""
    reference = counts[:size].astype(np.float64).copy()
    reference[-1] += counts[size:].sum()
    source = counts[:size].copy()
    if source[-1] == 0 and reference[-1] > 0:
        source[-1] = 1
    candidate = np.zeros(size)
    edges = [level * size // 128 for level in range(129)]
    for start, stop in itertools.pairwise(edges):
        part = source[start:stop]
        if (part > 0).any():
            candidate[start:stop][part > 0] = part.sum() / (part > 0).sum()
    p, q = reference / reference.sum(), candidate / candidate.sum()
    with np.errstate(divide="ignore"):
        return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


@pytest.mark.parametrize("kind", ["normal", "laplace", "outliers", "sparse"])
def test_entropy_finds_the_minimum_of_the_published_divergence(kind):
    generator = np.random.default_rng(2)
    values = {
        "normal": generator.standard_normal(50_000),
        "laplace": generator.laplace(size=50_000),
        "outliers": np.concatenate([generator.standard_normal(50_000), [40.0, -60.0]]),
        "sparse": generator.standard_normal(300),
    }[kind]
    histogram = filled(values)
    sizes = list(range(128, BINS + 1))
    by_the_book = [divergence_by_the_book(histogram.counts, size) for size in sizes]
    best = sizes[int(np.argmin(by_the_book))]
    assert entropy_threshold(histogram) == pytest.approx(min((best + 0.5) * histogram.limit / BINS, histogram.amax))


def test_entropy_cuts_off_what_two_outliers_would_cost_everyone():
    values = np.concatenate([np.random.default_rng(3).standard_normal(100_000), [1000.0]])
    assert entropy_threshold(filled(values)) < 100


def test_the_cnn_is_calibrated_through_onnx_runtime(tmp_path):
    model = sample("digits_cnn")
    tensors = tensors_to_calibrate(model, Recipe(precision=Precision.INT8))
    calibration = calibrate(
        SAMPLES / "digits_cnn" / "model.onnx",
        tensors,
        lambda: iter([digits(8)]),
        method=CalibrationMethod.ENTROPY,
        runner=OrtRunner(),
        reporter=CollectingReporter(),
    )
    assert [chosen.tensor for chosen in calibration.ranges] == list(tensors)
    assert tensors[0] == "image"
    assert all(chosen.scale > 0 for chosen in calibration.ranges)
    assert calibration.samples == 8


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16, Precision.INT4])
def test_precisions_without_quantized_activations_need_no_data(precision):
    assert tensors_to_calibrate(models.mlp(), Recipe(precision=precision)) == ()
