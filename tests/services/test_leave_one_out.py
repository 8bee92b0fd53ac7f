"""Leave-one-out from the tensors that the plain twin computed: the same figures as whole runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import QuantizeSpec
from trt_core.domain.triage import UnitSensitivity
from trt_core.services.scoring import Scoring
from trt_core.services.subject import read_subject
from trt_core.services.trials import Trial
from trt_core.settings import Settings
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

QUIET = CollectingReporter()


@pytest.mark.parametrize(
    ("sample", "precision", "rest", "metric"),
    [
        ("digits_transformer", Precision.INT8, Precision.FP16, "sqnr"),
        ("digits_transformer", Precision.FP16, Precision.FP16, "sqnr"),
        ("digits_cnn", Precision.INT8, Precision.FP32, "sqnr"),
        ("digits_cnn", Precision.BF16, Precision.FP16, "cosine"),
        ("digits_transformer", Precision.FP8, Precision.FP16, "sqnr"),
        ("digits_transformer", Precision.INT4, Precision.FP16, "top1"),
    ],
)
def test_a_tail_gives_exactly_what_the_whole_twin_gives(tmp_path: Path, sample, precision, rest, metric):
    bench = open_workbench(Settings(workspace=tmp_path / "ws"))
    model = bench.library.add_sample(sample)
    sets = {item.name.rpartition("/")[2]: item for item in bench.library.data_sets()}
    wish = QuantizeSpec(
        model_id=model.id,
        recipe=Recipe(precision=precision, rest=rest, method=CalibrationMethod.MINMAX),
        data_id=sets["calibration.npz"].id,
    )
    subject = read_subject(bench.library, bench.calibrations, bench.variants.resolved(wish), QUIET)
    scoring = Scoring(
        bench.triage._context,
        bench.library,
        model_id=model.id,
        data_id=sets["test.npz"].id,
        labels_id=sets["test_labels.npz"].id if metric == "top1" else "",
        metric=metric,
        samples=48,
    )
    trunk = subject.trunk(tmp_path, "plain", OrtRunner())
    trial = Trial(subject, scoring, tmp_path, QUIET, trunk=trunk, tolerance=0.005, most=99)
    ranked = [UnitSensitivity(unit=unit, isolated_db=1.0, accumulated_db=1.0) for unit in subject.units]
    plain = trial.evaluate((), "plain")

    found = trial.leave_one_out(ranked, plain, len(ranked))

    for item in found:
        assert item.is_measured
        whole = trial.evaluate((item.unit,), "whole").metric - plain.metric
        assert item.gain == whole, item.unit
    assert metric == "top1" or any(item.gain for item in found)
