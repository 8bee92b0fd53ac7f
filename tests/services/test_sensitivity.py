"""Several precisions measured in one job: errors of layers, the metric, what backends make of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fake_tensorrt import CalibratingFake
from trt_core.domain.jobs import Use
from trt_core.domain.precision import CalibrationMethod, Precision
from trt_core.domain.precision_rules import RULES, rules_of
from trt_core.domain.requests import InspectSpec, SensitivitySpec
from trt_core.domain.sensitivity import Outcome
from trt_core.errors import InvalidInput
from trt_core.services.backend_answers import kernels_said
from trt_core.settings import Settings
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

QUIET = CollectingReporter()
ALL = (Precision.FP16, Precision.INT8, Precision.BF16, Precision.FP8, Precision.INT4)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_workbench(Settings(workspace=tmp_path_factory.mktemp("sensitivity")))


def spec_of(bench, sample, against, **changes):
    model = bench.library.add_sample(sample)
    sets = {item.name.rpartition("/")[2]: item.id for item in bench.library.data_sets()}
    wanted = {
        "validation_id": sets["test.npz"],
        "data_id": sets["calibration.npz"],
        "metric": "sqnr",
        "tolerance": 20.0,
        "method": CalibrationMethod.MINMAX,
        "samples": 32,
        "ranking_samples": 8,
        "leave_one_out": 2,
    } | changes
    return SensitivitySpec(model_id=model.id, against=against, **wanted)


@pytest.fixture(scope="module")
def run(bench):
    return bench.sensitivity.perform(spec_of(bench, "digits_transformer", ALL), QUIET)


def test_every_precision_has_both_errors_of_every_layer_and_some_measured_gains(run):
    assert [part.precision for part in run.precisions] == list(ALL)
    for part in run.precisions:
        label = part.precision.value
        assert any(layer.error(label) for layer in run.layers)
        assert all(layer.error(label, isolated=True) for layer in run.layers if layer.error(label))
        assert sum(unit.is_measured for unit in part.units) == 2
        assert all(unit.gain is not None for unit in part.units if unit.isolated_db is not None)


def test_a_job_that_builds_on_the_gpu_has_it_alone(tmp_path, monkeypatch):
    bench = open_workbench(Settings(workspace=tmp_path), compilers={"tensorrt": CalibratingFake()})
    monkeypatch.setattr(bench.sensitivity._context.queue, "tend", lambda: None)
    spec = spec_of(bench, "digits_cnn", (Precision.FP16,))
    alone = ("gpu:0", Use.EXCLUSIVE)

    places = [(job.device, job.use) for job in map(bench.sensitivity.submit, (spec, replace(spec, with_builds=True)))]
    asked = InspectSpec(model_id=spec.model_id, backend="tensorrt")
    proofs = [(job.device, job.use) for job in map(bench.support.submit, (asked, replace(asked, prove=True)))]

    assert places == proofs == [("cpu", Use.SHARED), alone]


def test_the_shares_of_weights_and_activations_are_told_apart_where_both_are_quantized(run):
    for part in run.precisions:
        told = any(unit.weights_db is not None and unit.activations_db is not None for unit in part.units)
        assert told == (part.precision in (Precision.INT8, Precision.FP8)), part.precision


def test_int8_blames_the_planted_channels_and_fp16_nothing(run):
    int8, fp16 = run.of(Precision.INT8), run.of(Precision.FP16)

    assert {unit.unit.node for unit in int8.units[:2]} == {
        "/encoder/layer0/ffn/up/MatMul",
        "/encoder/layer2/ffn/up/MatMul",
    }
    assert int8.plain.metric < 20.0 < fp16.plain.metric


def test_a_run_is_read_back_as_it_was_and_its_head_without_layers(bench, run):
    assert bench.sensitivity.run(run.id) == run
    (head,) = bench.sensitivity.heads(run.model_id)
    assert head.id == run.id
    assert not head.layers
    assert head.precisions[1].plain == run.precisions[1].plain


def test_onnx_runtime_answers_by_running_the_variant_and_tensorrt_by_rule(run):
    said = {part.precision: {one.backend: one for one in part.answers} for part in run.precisions}
    ours = {precision: next(one for name, one in by.items() if "ONNX" in name) for precision, by in said.items()}

    assert ours[Precision.INT4].outcome is Outcome.RUNS
    assert "MatMulNBits" in ours[Precision.INT4].says
    assert ours[Precision.BF16].outcome is Outcome.REFUSED
    assert "Conv" in ours[Precision.BF16].says
    assert said[Precision.BF16]["TensorRT 8.6"].outcome is Outcome.CANNOT
    assert said[Precision.FP8]["TensorRT 11"].outcome is Outcome.TAKES


def test_every_release_has_a_rule_for_every_precision():
    for precision in ALL:
        assert [rule.release for rule in rules_of(precision)] == ["8.6", "10", "11"]
    assert all(rule.reason for rule in RULES)


def test_a_precision_that_lowers_nothing_says_so_and_the_others_are_measured(bench):
    run = bench.sensitivity.perform(
        spec_of(bench, "digits_cnn", (Precision.INT4, Precision.FP16), leave_one_out=0, ask_backends=False), QUIET
    )

    int4, fp16 = run.precisions
    assert bool(int4.refusal) != bool(int4.units)
    assert fp16.units
    assert not fp16.refusal


def test_a_precision_that_quantizes_activations_wants_data_before_the_job(bench):
    with pytest.raises(InvalidInput, match="calibration data"):
        spec_of(bench, "digits_cnn", (Precision.INT8,), data_id="")
    with pytest.raises(InvalidInput, match="loses nothing"):
        spec_of(bench, "digits_cnn", (Precision.FP32,))


def test_kernels_are_said_by_name_and_what_only_converts_is_counted_apart():
    said = kernels_said(["QLinearConv", "QLinearConv", "Relu", "Cast", "QuantizeLinear"])
    assert said == "2 QLinearConv on quantized values; 1 others in FP32, 1 Cast and 1 Q/DQ nodes between them."


def test_layers_agree_with_a_triage_of_one_precision_on_the_same_samples(bench, run):
    """One pass for all precisions gives what a search that looks at one alone gives."""
    from trt_core.domain.precision import Recipe
    from trt_core.domain.requests import TriageSpec

    spec = spec_of(bench, "digits_transformer", (Precision.INT8,))
    alone = bench.triage.perform(
        TriageSpec(
            model_id=spec.model_id,
            recipe=Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX),
            data_id=spec.data_id,
            validation_id=spec.validation_id,
            metric="sqnr",
            tolerance=-100.0,
            samples=32,
            ranking_samples=8,
            leave_one_out=2,
        ),
        QUIET,
    )
    together = {unit.unit.node: unit for unit in run.of(Precision.INT8).units}

    for unit in alone.sensitivities:
        other = together[unit.unit.node]
        assert np.isclose(unit.isolated_db, other.isolated_db, atol=1e-9)
        assert np.isclose(unit.accumulated_db, other.accumulated_db, atol=1e-9)
        assert unit.gain == pytest.approx(other.gain, abs=1e-9)
