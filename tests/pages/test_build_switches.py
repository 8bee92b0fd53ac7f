"""The build form on a machine with TensorRT: its switches, and its own calibration from a cache."""

from __future__ import annotations

import io

import numpy as np
import pytest
import streamlit as st

from tests import models
from tests.fake_tensorrt import CalibratingFake
from tests.pages.conftest import open_expanders, open_tabs, scroll_to, tabs
from tests.pages.engines import opened, words
from trt_core import workbench as wiring
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

TOOLS = ("enginescope", "trtexec-8-6")
CACHE = "TRT-8600-MinMaxCalibration\nx: 3c010a14\nh: 3d010a14\n(Unnamed Layer* 3): 0\n"


@pytest.fixture
def fake():
    return CalibratingFake(dla_cores=2)


@pytest.fixture
def bench(tmp_path, monkeypatch, fake):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(wiring, "_compilers", lambda settings: {"tensorrt": fake})
    st.cache_resource.clear()
    st.cache_data.clear()
    bench = open_workbench()
    yield bench
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def model(bench):
    return bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})


@pytest.fixture
def data(bench, model):
    content = io.BytesIO()
    np.savez(content, x=np.ones((8, 8), np.float32))
    content.seek(0)
    return bench.library.add_data(content, name="calibration.npz", model_id=model.id)


def test_the_switches_of_the_backend_are_there_and_reach_every_command(model):
    app = opened("build", model=model.id)
    open_expanders(app, "build.options")
    open_tabs(app, *TOOLS, name="tool")

    app.toggle("build.sparsity").set_value(True)
    app.toggle("build.refit").set_value(True)
    app.toggle("build.tf32").set_value(True)
    app.multiselect("build.sources").set_value(["JIT_CONVOLUTIONS"])
    app.multiselect("build.plugins").set_value(["libfish.so"])
    app.selectbox("build.dla").set_value(1)
    app.run()
    app.number_input("build.pool.dla_local_dram").set_value(64)
    app.run()

    assert not app.exception
    said = words(app)
    ours = next(item.value for item in app.code if "python -m trt_core build" in item.value)
    assert "--tf32 --sparsity --refit --memory-pool=dla_local_dram=64 --tactic-source=JIT_CONVOLUTIONS" in ours
    assert "--dla-core 1 --plugin=libfish.so" in ours
    assert "--useDLACore=1 --allowGPUFallback" in said
    assert not app.button("build.submit").disabled


def test_a_dla_refuses_what_it_does_not_run(model):
    app = opened("build", model=model.id)
    open_expanders(app, "build.options")
    app.button("build.precision.fp32").click()
    app.selectbox("build.dla").set_value(0)
    app.run()

    assert "A DLA core runs FP16 and INT8, not FP32." in words(app)
    assert app.button("build.submit").disabled


def test_pools_of_the_dla_come_with_the_dla(model):
    app = opened("build", model=model.id)
    open_expanders(app, "build.options")
    keys = {item.key for item in app.number_input}

    assert "build.pool.tactic_dram" in keys
    assert "build.pool.dla_local_dram" not in keys


def test_what_the_backend_lacks_is_named_with_the_reason(model, fake):
    fake.dla_cores, fake.plugins = 0, ()
    app = opened("build", model=model.id)
    open_expanders(app, "build.options")

    said = words(app)
    assert "**a DLA core**: TensorRT 8.6.0 on an invented GPU finds no DLA here" in said
    assert "ENGINESCOPE_TENSORRT_PLUGINS" in said
    assert {item.key for item in app.multiselect} & {"build.plugins"} == set()


def implicit(app):
    app.button("build.precision.int8").click().run()
    app.segmented_control("build.calibration").set_value("TensorRT, implicitly").run()
    return app


def test_implicit_calibration_takes_samples_like_any_other(model, data):
    app = implicit(opened("build", model=model.id))
    open_tabs(app, *TOOLS, name="tool")

    assert "Let TensorRT choose which layers run in INT8" in words(app)
    assert "in TensorRT." in words(app)
    assert any("--calibration implicit" in item.value for item in app.code)
    assert any("--int8" in item.value and "--calib=calibration.cache" in item.value for item in app.code)
    assert not app.button("build.submit").disabled


def test_a_cache_stands_in_for_samples_and_is_shown_as_a_table(bench, model):
    app = implicit(opened("build", model=model.id))
    app.segmented_control("build.scales").set_value("A calibration cache").run()
    assert app.button("build.submit").disabled
    assert "calibration cache" in app.button("build.submit").help

    record = bench.caches.add(io.BytesIO(CACHE.encode()), name="mlp.calib", model_id=model.id)
    open_expanders(app, "build.cache_ranges")

    assert not app.button("build.submit").disabled
    assert "Take the scales out of `mlp.calib`; no samples are run." in words(app)
    assert "2 tensors with a scale, 1 without" in words(app)
    table = next(item.value for item in app.dataframe if "scale" in item.value.columns)
    assert list(table["tensor"]) == ["x", "h", "(Unnamed Layer* 3)"]
    ours = next(item.value for item in app.code if "python -m trt_core build" in item.value)
    assert "--calibration implicit --calibration-cache mlp.calib" in ours
    assert "--data" not in ours
    assert record.method is CalibrationMethod.MINMAX


def test_the_ranges_of_a_calibrated_engine_are_on_its_page_and_offered_to_the_next(bench, model, data):
    spec = BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.INT8), data_id=data.id),
        backend="tensorrt",
        options=BuilderOptions(calibration="implicit"),
    )
    built = bench.builds.perform(spec, CollectingReporter()).record

    app = opened("build", model=model.id, build=built.id, tab="quantization")
    scroll_to(app, "build.result")
    assert "TensorRT calibrated this engine itself" in words(app)
    assert "Quantization (2)" in tabs(app)

    app.button("build.keep_cache").click().run()

    assert not app.exception
    (kept,) = bench.caches.caches(model.id)
    assert bench.caches.text(kept.id) == bench.caches.text(built.id)


def test_where_only_qdq_pairs_are_the_reason_is_said_and_caches_are_looked_at_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path))
    st.cache_resource.clear()
    st.cache_data.clear()
    bench = open_workbench()
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    app = opened("build", model=model.id)
    app.button("build.precision.int8").click().run()
    open_expanders(app, "build.options", "build.caches")

    assert "Implicit calibration is not here" in words(app)
    assert "**sparsity**: TensorRT-RTX" in words(app)
    assert {item.key for item in app.toggle} & {"build.sparsity", "build.refit"} == set()

    bench.caches.add(io.BytesIO(CACHE.encode()), name="mlp.calib", model_id=model.id)
    app.run()

    assert not app.exception
    assert "1 calibration cache of this model" in words(app)
    assert "2 tensors with a scale, 1 without" in words(app)
    line = next(item.value for item in app.code if "--backend tensorrt" in item.value)
    assert "--method" not in line
    assert line.endswith("--calibration implicit --calibration-cache mlp.calib -o mlp.int8.engine")
    st.cache_resource.clear()
    st.cache_data.clear()
