from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import BenchSpec, DivergeSpec, QuantizeSpec, TriageSpec
from trt_core.errors import InvalidInput
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, open_workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return open_workbench(settings_from({}, workspace=tmp_path / "workspace"), compilers={})


def added(bench: Workbench, model: onnx.ModelProto, folder: Path, **arrays: np.ndarray) -> tuple[str, str]:
    """A model and its data in the workspace, by id."""
    record = bench.library.add_file(models.saved(model, folder / "m.onnx"), trusted=True)
    np.savez(folder / "data.npz", **arrays)
    return record.id, bench.library.add_data(folder / "data.npz", name="data", model_id=record.id).id


def samples(count: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, 8)).astype(dtype)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.FP8])
@pytest.mark.parametrize("rest", [Precision.FP16, Precision.FP32])
def test_the_scales_that_are_told_are_those_in_the_file(bench, tmp_path, precision, rest):
    model_id, data_id = added(bench, models.mlp(), tmp_path, x=samples(8))
    wish = QuantizeSpec(model_id=model_id, recipe=Recipe(precision=precision, rest=rest), data_id=data_id)
    record = bench.variants.perform(wish, CollectingReporter())
    written = onnx.load(bench.variants.path(record.id)).graph.initializer
    stored = {
        item.name: float(numpy_helper.to_array(item))
        for item in written
        if item.name.endswith("_scale") and not item.dims
    }
    for item in record.ranges:
        assert stored[f"{item.tensor}_scale"] == pytest.approx(item.scale, rel=1e-7)


def test_what_a_recipe_ignores_gives_no_further_variant(bench, tmp_path):
    model_id, data_id = added(bench, models.mlp(), tmp_path, x=samples(8))

    def named(**recipe: object) -> str:
        return bench.variants.id_of(QuantizeSpec(model_id=model_id, recipe=Recipe(**recipe), data_id=data_id))

    fp16 = {"precision": Precision.FP16}
    assert named(**fp16, rest=Precision.FP32) == named(**fp16, rest=Precision.FP16)
    minmax = {"precision": Precision.INT8, "method": CalibrationMethod.MINMAX}
    assert named(**minmax, percentile=99.0) == named(**minmax, percentile=99.9)
    share = {"precision": Precision.INT8, "method": CalibrationMethod.PERCENTILE}
    assert named(**share, percentile=99.0) != named(**share, percentile=99.9)


def test_a_model_of_fixed_batch_is_compared_in_whole_batches(bench, tmp_path):
    model = models.mlp()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 4
    model_id, data_id = added(bench, model, tmp_path, x=samples(16))
    wish = DivergeSpec(model_id=model_id, against=(Precision.FP16,), data_id=data_id, samples=6, mode="both")
    assert bench.divergence.perform(wish, CollectingReporter()).samples == 8


def test_a_limit_inside_a_fixed_batch_is_rounded_up_to_the_whole_batch(bench, tmp_path):
    model = models.mlp()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 4
    model_id, data_id = added(bench, model, tmp_path, x=samples(16))
    np.savez(tmp_path / "labels.npz", labels=np.zeros(16, np.int64))
    labels_id = bench.library.add_data(tmp_path / "labels.npz", name="labels").id
    wish = TriageSpec(
        model_id=model_id,
        recipe=Recipe(precision=Precision.INT8),
        data_id=data_id,
        validation_id=data_id,
        labels_id=labels_id,
        samples=6,
        ranking_samples=5,
        max_evaluations=3,
    )
    run = bench.triage.perform(wish, CollectingReporter())
    assert run.evaluations[0].measured.counts.samples == 8


def test_nan_that_the_model_gives_itself_is_told_with_the_node_that_begins_it(bench, tmp_path):
    weights = numpy_helper.from_array(np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32), "w")
    model = models.model(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"], name="product"),
            helper.make_node("Sqrt", ["p"], ["r"], name="root"),
            helper.make_node("Relu", ["r"], ["y"], name="last"),
        ],
        [models.value("x", ["batch", 8])],
        [models.value("y", ["batch", 4])],
        [weights],
    )
    model_id, data_id = added(bench, model, tmp_path, x=samples(8))
    wish = DivergeSpec(model_id=model_id, against=(Precision.FP16, Precision.BF16), data_id=data_id, samples=8)
    found = next(
        item
        for item in bench.divergence.perform(wish, CollectingReporter()).findings
        if item.rule == "baseline-gives-nan"
    )
    negative = np.count_nonzero(samples(8) @ numpy_helper.to_array(weights) < 0)
    assert f"{negative} elements of 'y'" in found.message
    assert found.nodes == ("root",)


@pytest.mark.parametrize(("dtype", "code"), [(np.float16, TensorProto.FLOAT16), (np.float64, TensorProto.DOUBLE)])
def test_an_error_of_zero_is_not_told_where_nothing_was_lowered(bench, tmp_path, dtype, code):
    weights = numpy_helper.from_array(np.random.default_rng(1).standard_normal((8, 4)).astype(dtype), "w")
    model = models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        [models.value("x", ["batch", 8], code)],
        [models.value("y", ["batch", 4], code)],
        [weights],
    )
    model_id, data_id = added(bench, model, tmp_path, x=samples(8, dtype))
    wish = DivergeSpec(model_id=model_id, against=(Precision.FP16, Precision.INT8), data_id=data_id, samples=2)
    run = bench.divergence.perform(wish, CollectingReporter())
    rules = {item.rule for item in run.findings}
    assert {"nothing-lowered", "nothing-quantized"} <= rules
    assert ("baseline-not-fp32" in rules) is (dtype is np.float16)
    assert run.baseline.startswith("fp16" if dtype is np.float16 else "fp64")


def test_a_file_whose_hash_begins_like_another_one_does_not_pass_for_it(bench, tmp_path, monkeypatch):
    model_id, _ = added(bench, models.mlp(), tmp_path, x=samples(8))
    other = models.saved(models.conv_block(), tmp_path / "other.onnx")
    forged = bench.library.model(model_id).sha256[:12] + "0" * 52
    monkeypatch.setattr("trt_core.onnx_graph.intake.joined_sha256", lambda _: forged)
    with pytest.raises(InvalidInput, match="begins alike"):
        bench.library.add_file(other, trusted=True)


def test_throughput_counts_the_batch_and_not_what_stands_first(bench, tmp_path):
    model = models.model(
        [helper.make_node("Mul", ["x", "s"], ["y"], name="scale")],
        [models.value("s", [1]), models.value("x", ["batch", 8])],
        [models.value("y", ["batch", 8])],
    )
    record = bench.library.add_file(models.saved(model, tmp_path / "m.onnx"), trusted=True)
    wish = BenchSpec(subject_id=record.id, batch=8, request=LatencyRequest(iterations=20, warmup=1))
    run = bench.latency.perform(wish, CollectingReporter())
    assert run.conditions.batch == 8
    assert run.label.endswith("batch 8")
    assert bench.latency.summary(run.id).throughput_per_s == pytest.approx(20 * 8 / run.wall_s)
