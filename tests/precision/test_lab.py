"""The calibration lab: methods side by side, samples against error, drift, flat memory."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest

from tests import models
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import EDGES, CalibrationMethod, Precision, Recipe
from trt_core.errors import InvalidData
from trt_core.precision.formats import LARGEST
from trt_core.precision.histogram import MagnitudeHistogram
from trt_core.precision.lab import calibration_lab, method_range, rounding_db
from trt_core.testing import CollectingReporter

INT8 = Recipe(precision=Precision.INT8)


def seen(values):
    histogram = MagnitudeHistogram()
    histogram.add(np.asarray(values, np.float32))
    return histogram


def test_the_error_of_rounding_a_histogram_is_that_of_rounding_the_values():
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    high = 3.0
    rounded = np.clip(np.rint(values / (high / 127)), -127, 127) * (high / 127)
    expected = 10 * np.log10(np.square(values).sum() / np.square(values - rounded).sum())

    assert rounding_db(seen(values), high, Precision.INT8) == pytest.approx(expected, abs=0.1)


def test_in_fp8_the_values_are_rounded_to_e4m3_as_the_twin_rounds_them():
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    scale = values.max() / 448 / 2
    rounded = np.clip(values / scale, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * scale
    expected = 10 * np.log10(np.square(values).sum() / np.square(values - rounded).sum())

    assert rounding_db(seen(values), 448 * scale, Precision.FP8) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FP8])
@pytest.mark.parametrize("high", [0.7, 2.0, 8.0])
def test_shares_that_are_cut_off_and_lost_are_those_of_the_values_to_within_a_fiftieth(precision, high):
    """What becomes zero ends within the first bins, and not at the end of one."""
    values = np.random.default_rng(1).laplace(size=400_000).astype(np.float32)
    edge, zero = (high / LARGEST[precision] * part for part in EDGES[precision])

    found = method_range(CalibrationMethod.MINMAX, high, seen(values), precision)

    assert found.clipped_share == pytest.approx(np.mean(np.abs(values) > edge), rel=0.02, abs=1e-5)
    assert found.lost_share == pytest.approx(np.mean(np.abs(values) < zero), rel=0.02, abs=1e-5)


def lab_of(folder, *, calibrated, validated, recipe=INT8, samples=64, batch=1):
    """The lab of a small net on noise of these widths."""
    model = models.mlp()
    onnx.save(model, folder / "mlp.onnx")
    (only,) = model.graph.input
    width = only.type.tensor_type.shape.dim[1].dim_value
    rng = np.random.default_rng(3)
    first = calibrated * rng.standard_normal((samples, width)).astype(np.float32)
    second = validated * rng.standard_normal((32, width)).astype(np.float32)

    def batches(data):
        return lambda: iter({only.name: data[i : i + batch]} for i in range(0, len(data), batch))

    return calibration_lab(
        folder / "mlp.onnx", [only.name], batches(first), batches(second), recipe,
        runner=OrtRunner(), reporter=CollectingReporter(),
    )  # fmt: skip


@pytest.fixture
def lab(tmp_path):
    """Validation inputs twice as wide as those of calibration."""
    return lab_of(tmp_path, calibrated=1, validated=2)


def rules(lab):
    return {item.rule: item for item in lab.findings}


def test_pictures_that_are_inverted_are_a_finding_with_the_tensors_though_the_range_is_the_same(tmp_path):
    """Values that are mostly small, and the same ones taken from 1."""
    rng = np.random.default_rng(3)
    usual, other, inverted = (rng.random((64, 8)).astype(np.float32) ** 3 for _ in range(3))

    alike, unlike = (pictures(tmp_path, usual, second) for second in (other, 1 - inverted))

    assert "calibration-unlike-validation" not in rules(alike)
    found = rules(unlike)["calibration-unlike-validation"]
    assert found.nodes == ("x",)
    assert unlike.tensors[0].drift == pytest.approx(1.0, abs=0.1)
    assert unlike.tensors[0].distance == pytest.approx(2.0, abs=0.3)  # from a mean of 1/4 to one of 3/4
    assert "Halves of the calibration data" in found.evidence


def test_of_few_batches_nothing_is_known_of_chance_and_no_distance_is_a_finding(tmp_path):
    values = np.random.default_rng(3).random((64, 8)).astype(np.float32) ** 3

    lab = pictures(tmp_path, values[:24], 1 - values)

    assert lab.tensors[0].noise is None
    assert "calibration-unlike-validation" not in rules(lab)


def pictures(folder, first, second):
    onnx.save(models.mlp(), folder / "mlp.onnx")

    def batches(data):
        return lambda: iter({"x": data[i : i + 8]} for i in range(0, len(data), 8))

    return calibration_lab(
        folder / "mlp.onnx", ["x"], batches(first), batches(second), INT8,
        runner=OrtRunner(), reporter=CollectingReporter(),
    )  # fmt: skip


def test_every_method_is_weighed_after_more_and_more_samples(lab):
    assert sorted({step.samples for step in lab.steps}) == [1, 4, 16, 64]
    assert {item.method for item in lab.tensors[0].methods} == set(CalibrationMethod)
    by_minmax = [step.sqnr_db for step in lab.steps if step.method is CalibrationMethod.MINMAX]
    assert by_minmax[-1] > by_minmax[0]


def of_method(lab, method):
    return next(item for item in lab.tensors[0].methods if item.method is method)


def test_the_percentile_is_the_recipes_and_so_is_the_precision(tmp_path):
    half = Recipe(precision=Precision.INT8, percentile=60.0)

    usual, narrow = (lab_of(tmp_path, calibrated=1, validated=1, recipe=one) for one in (INT8, half))
    in_fp8 = lab_of(tmp_path, calibrated=1, validated=1, recipe=Recipe(precision=Precision.FP8))

    assert (
        of_method(narrow, CalibrationMethod.PERCENTILE).high < of_method(usual, CalibrationMethod.PERCENTILE).high / 2
    )
    assert of_method(narrow, CalibrationMethod.PERCENTILE).clipped_share == pytest.approx(0.4, abs=0.05)
    assert (narrow.percentile, usual.precision, in_fp8.precision) == (60.0, Precision.INT8, Precision.FP8)
    lost = [of_method(lab, CalibrationMethod.MINMAX).lost_share for lab in (usual, in_fp8)]
    assert lost[1] < lost[0] / 10
    assert of_method(usual, CalibrationMethod.MINMAX).sqnr_db > of_method(in_fp8, CalibrationMethod.MINMAX).sqnr_db


def test_validation_data_that_reach_further_are_a_finding_with_the_tensor(lab):
    assert lab.tensors[0].drift > 1.25
    drift = next(item for item in lab.findings if item.rule == "calibration-drift")
    assert drift.nodes == (lab.tensors[0].tensor,)
    assert of_method(lab, CalibrationMethod.MINMAX).clipped_share > 0.0


def test_calibration_data_on_another_scale_are_a_finding_with_the_tensor(tmp_path):
    lab = lab_of(tmp_path, calibrated=255, validated=1)

    found = rules(lab)["calibration-too-wide"]
    assert found.nodes == (lab.tensors[0].tensor,)
    assert "less than half" in found.message
    assert "calibration-drift" not in rules(lab)


def test_a_tensor_that_was_zero_in_calibration_and_is_not_in_validation_has_drifted(tmp_path):
    lab = lab_of(tmp_path, calibrated=0, validated=1)

    assert lab.tensors[0].drift == np.inf
    assert rules(lab)["calibration-drift"].nodes == (lab.tensors[0].tensor,)


def test_data_that_look_alike_are_no_finding(tmp_path):
    assert not {"calibration-drift", "calibration-too-wide"} & rules(lab_of(tmp_path, calibrated=1, validated=1)).keys()


@pytest.mark.parametrize(("samples", "said"), [(8, True), (7, True), (16, False), (9, False)])
def test_one_batch_of_calibration_samples_cannot_tell_whether_more_would_help(tmp_path, samples, said):
    lab = lab_of(tmp_path, calibrated=1, validated=1, samples=samples, batch=8)

    assert ("more-samples-unknown" in rules(lab)) is said
    assert bool({"more-samples-help", "enough-samples"} & rules(lab).keys()) is not said
    if said:
        assert f"{4 * samples} or more; 500" in rules(lab)["more-samples-unknown"].remedy


def test_nan_in_the_validation_data_is_bad_data_with_the_tensor_named(tmp_path):
    with pytest.raises(InvalidData, match="holds NaN on these samples"):
        lab_of(tmp_path, calibrated=1.0, validated=np.nan)
