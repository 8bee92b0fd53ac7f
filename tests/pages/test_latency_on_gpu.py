"""The latency page on a machine whose GPU runs TensorRT, in a fake's place."""

from __future__ import annotations

import io

import pytest
import streamlit as st

from tests import models
from tests.fake_tensorrt import CalibratingFake
from tests.pages.engines import opened, words
from trt_core import workbench as wiring
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


class StillMeter:
    """A meter that is there and never asked: jobs are queued, not run, in these tests."""

    name = "tensorrt"

    def check(self) -> None:
        pass


@pytest.fixture
def fake():
    return CalibratingFake()


@pytest.fixture
def bench(tmp_path, monkeypatch, fake):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("ENGINESCOPE_MAX_WORKERS", "1")
    real = wiring._meters
    monkeypatch.setattr(wiring, "_compilers", lambda _settings: {"tensorrt": fake})
    monkeypatch.setattr(
        wiring, "_meters", lambda settings, runner: {**real(settings, runner), "tensorrt": StillMeter()}
    )
    monkeypatch.setattr("trt_core.jobs.queue.JobQueue.submit", kept := Kept())
    st.cache_resource.clear()
    st.cache_data.clear()
    bench = open_workbench()
    bench_and_jobs = bench, kept.jobs
    yield bench_and_jobs
    st.cache_resource.clear()
    st.cache_data.clear()


class Kept:
    """Takes jobs in the queue's place."""

    def __init__(self) -> None:
        self.jobs = []

    def __call__(self, job):
        self.jobs.append(job)
        raise RuntimeError("queued")


@pytest.fixture
def engine(bench):
    made, _ = bench
    model = made.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    spec = BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)), backend="tensorrt"
    )
    return model, made.builds.perform(spec, CollectingReporter()).record


def test_an_engine_is_measured_in_tensorrt_and_nowhere_else(engine):
    model, build = engine

    app = opened("latency", model=model.id, build=build.id)

    assert not app.button("latency.backend.tensorrt").disabled
    assert app.button("latency.backend.ort").disabled
    assert not app.button("latency.submit").disabled
    assert not app.toggle("latency.cuda_graph").disabled


def test_the_model_itself_is_no_engine(engine):
    app = opened("latency", model=engine[0].id)

    assert app.button("latency.backend.tensorrt").disabled
    assert "is no engine" in app.button("latency.backend.tensorrt").help


def test_where_the_gpu_is_gone_the_reason_stands_at_the_button(engine, fake):
    model, build = engine
    fake.can_build = False

    app = opened("latency", model=model.id, build=build.id)

    assert app.button("latency.backend.tensorrt").disabled
    assert "No GPU" in app.button("latency.backend.tensorrt").help
    assert "No GPU" in words(app)


def test_measuring_asks_for_the_gpu_alone(bench, engine):
    _, jobs = bench
    model, build = engine
    app = opened("latency", model=model.id, build=build.id)

    app.toggle("latency.cuda_graph").set_value(True)
    app.button("latency.submit").click().run()

    (job,) = jobs
    assert (job.device, job.use.value) == ("gpu:0", "exclusive")
    spec = job.request["spec"]
    assert (spec["subject_id"], spec["backend"], spec["request"]["cuda_graph"]) == (build.id, "tensorrt", True)
