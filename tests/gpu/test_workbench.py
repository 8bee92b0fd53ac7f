from __future__ import annotations

import json

import numpy as np
import pytest

from tests.gpu.conftest import SAMPLES
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange
from trt_core.domain.requests import BenchSpec, BuildSpec, QuantizeSpec
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

pytestmark = pytest.mark.gpu


@pytest.fixture
def bench(tmp_path):
    return open_workbench(settings_from({}, workspace=tmp_path / "workspace"))


@pytest.fixture
def model(bench):
    return bench.library.add_file(SAMPLES / "digits_cnn" / "model.onnx", trusted=True)


def spec_for(bench, model, precision, data_id="", *, batch=8, **options):
    (only,) = model.inputs
    shape = tuple(size if isinstance(size, int) else batch for size in only.shape)
    ranged = ShapeRange(tensor=only.name, min=(1, *shape[1:]), opt=shape, max=shape)
    recipe = Recipe(precision=precision, method=options.pop("method", CalibrationMethod.ENTROPY))
    return BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=recipe, data_id=data_id),
        backend="tensorrt",
        profiles=(OptimizationProfile(ranges=(ranged,)),),
        options=BuilderOptions(optimization_level=1, **options),
    )


def test_the_machine_says_what_tensorrt_can_do_here(bench):
    found = next(item for item in bench.machine.capabilities() if item.backend == "tensorrt")
    assert found.can_run, found.missing
    assert found.title.startswith("TensorRT 8.6")
    assert found.has_implicit_calibration
    assert found.is_weakly_typed
    assert {item.value for item in found.precisions} == {"fp32", "tf32", "fp16", "int8"}


def test_from_model_to_latency_with_each_way_of_int8(bench, model, digits, figures):
    data = bench.library.add_data(digits, name="digits.npz", model_id=model.id)
    found = {}
    for label, wish in {
        "fp32": spec_for(bench, model, Precision.FP32),
        "fp16": spec_for(bench, model, Precision.FP16),
        "int8 qdq": spec_for(bench, model, Precision.INT8, data.id),
        "int8 implicit": spec_for(bench, model, Precision.INT8, data.id, calibration="implicit"),
        "int8 percentile": spec_for(
            bench, model, Precision.INT8, data.id, calibration="implicit", method=CalibrationMethod.PERCENTILE
        ),
    }.items():
        bench.builds.check(wish)
        built = bench.builds.perform(wish, CollectingReporter())
        assert not built.cached
        assert bench.builds.perform(wish, CollectingReporter()).cached
        request = LatencyRequest(iterations=200, warmup=10)
        run = bench.latency.perform(
            BenchSpec(subject_id=built.record.id, request=request, backend="tensorrt"), CollectingReporter()
        )
        assert run.conditions.batch == 8
        found[label] = (built.record, run)
        figures(
            f"{label}: {built.record.precisions}, {built.record.node_states}, p50 {np.median(run.samples_ms):.4f} ms"
        )
    assert len({record.id for record, _ in found.values()}) == 5
    assert found["int8 qdq"][0].precisions.get("int8")
    assert found["int8 implicit"][0].ranges
    assert found["int8 implicit"][0].recipe.precision is Precision.INT8
    assert found["int8 percentile"][0].ranges != found["int8 implicit"][0].ranges
    fusion = bench.builds.fusion(found["fp16"][0].id)
    assert fusion.stamp.startswith("TensorRT 8.6")
    assert not found["fp32"][0].node_states["unexplained"]


def test_a_job_for_the_busy_gpu_waits_and_says_for_what(bench, model):
    first = bench.builds.submit(spec_for(bench, model, Precision.FP32, batch=4))
    second = bench.builds.submit(spec_for(bench, model, Precision.FP16, batch=4))
    waiting = bench.jobs.job(second.id)
    assert waiting.device == "gpu:0"
    assert waiting.waits_for.startswith(f"gpu:0, held by {first.title}")
    for job in (first, second):
        assert bench.jobs.wait(job.id, on_look=lambda _: None).state.value == "succeeded"


def test_the_command_line_builds_calibrates_and_measures(tmp_path, digits, capsys):
    from trt_core.cli.main import main

    def run(*words):
        code = main([*words, "--json", "--workspace", str(tmp_path / "w")])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    model = str(SAMPLES / "digits_cnn" / "model.onnx")
    built = run(
        "build", model, "--backend", "tensorrt", "--precision", "int8", "--calibration", "implicit", "--data",
        str(digits), "--optimization-level", "1",
    )  # fmt: skip
    assert built["build"]["backend"] == "tensorrt"
    measured = run("bench", built["build"]["id"], "--backend", "tensorrt", "--iterations", "100")
    assert measured["latency_ms"]["p50"] > 0
    assert measured["host"]["enqueue_ms"] > 0
