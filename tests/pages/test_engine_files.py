"""What an engine's page says first, its ranges, and the files to take away."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import streamlit as st

from tests import models
from tests.analysis.trt86 import FOLDER
from tests.pages.conftest import open_tabs, saves
from tests.pages.engines import opened, words
from trt_core.domain.latency import GpuSample, LatencyRequest
from trt_core.domain.requests import BenchSpec
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    bench = open_workbench(settings_from(workspace=tmp_path_factory.mktemp("workspace")))
    bench.recordings.add_folder(FOLDER, device="NVIDIA H200", version="8.6.0")
    return bench, {item.name: item.id for item in bench.recordings.recordings()}


@pytest.fixture(autouse=True)
def _fresh(stock, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(stock[0].settings.workspace))
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


def test_an_encoder_without_a_layer_in_int8_says_so_before_everything_else(stock):
    app = opened("engines", engine=stock[1]["enc_int8_calib"])

    said = words(app)
    assert "INT8 was asked for; 0 of 2 layers run in it" in said
    assert "calibration ranges do not reach into it" in said
    assert "found no scale for 16 tensors" in said
    drawn = [str(getattr(item, "proto", "")) for item in app.main]
    first = {word: next(at for at, proto in enumerate(drawn) if word in proto) for word in ("Blocker", "By what the")}
    assert first["Blocker"] < first["By what the"]


def test_a_resnet_with_a_few_layers_in_int8_names_the_biases(stock):
    said = words(opened("engines", engine=stock[1]["r50_int8_calib"]))

    assert "4 of 106 layers run in it, 2 of the 54 with matrix work" in said
    assert "47 of the 52 others read their bias from another layer" in said


@pytest.mark.parametrize("name", ["r50_int8_qdq", "r50_fp16"])
def test_an_engine_that_runs_what_was_asked_for_has_nothing_to_say(stock, name):
    assert "was asked for; 4 of" not in words(opened("engines", engine=stock[1][name]))
    assert "Blocker" not in words(opened("engines", engine=stock[1][name]))


def test_calibrated_ranges_are_a_table_with_the_cache_to_take_away(stock):
    app = opened("engines", engine=stock[1]["r18_int8_calib"], view="Ranges")

    assert "tensors with a scale" in words(app)
    table = app.dataframe[0].value
    assert table["tensor"][0] == "x"
    assert table["high"][0] == pytest.approx(4.6847, abs=1e-3)
    assert "Calibration cache" in saves(app)


def test_an_engine_without_a_cache_has_no_such_view(stock):
    app = opened("engines", engine=stock[1]["r18_fp16"], view="Ranges")

    assert "tensors with a scale" not in words(app)


def test_trtexecs_files_are_there_to_take_away(stock):
    app = opened("engines", engine=stock[1]["r18_fp16"], view="Files")
    assert {"layers.json", "profile.json", "times.json"} <= set(saves(app))

    app = opened("engines", engine=stock[1]["enc_int8_qdq"], view="Files")
    assert "no layers to export" in words(app)


def test_a_run_on_the_processor_is_not_exported_as_a_gpus(stock):
    bench, _ = stock
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    request = LatencyRequest(iterations=20, warmup=1, profile_layers=False)
    run = bench.latency.perform(BenchSpec(subject_id=model.id, request=request), CollectingReporter())

    app = opened("latency", model=model.id, latency=run.id, tab="samples")

    assert "No files of trtexec: trtexec's files hold times of a GPU" in words(app)
    assert "times.json" not in saves(app)


def test_a_run_in_tensorrt_is(stock, monkeypatch):
    bench, _ = stock
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    request = LatencyRequest(iterations=20, warmup=1, profile_layers=False)
    run = bench.latency.perform(BenchSpec(subject_id=model.id, request=request), CollectingReporter())
    clocks = tuple(GpuSample(at_s=at / 10, sm_mhz=mhz, power_w=400.0) for at, mhz in enumerate((345, 1980, 1755)))
    on_gpu = replace(run, conditions=replace(run.conditions, backend="tensorrt"), enqueue_ms=0.01, gpu=clocks)
    monkeypatch.setattr("trt_core.services.latency.Latencies.run", lambda _self, _id: on_gpu)

    app = opened("latency", model=model.id, latency=run.id, tab="samples")

    assert "times.json" in saves(app)
    open_tabs(app, "gpu")
    assert "SM 1,755 to 1,980 MHz, up to 400 W" in words(app)
    table = next(item.value for item in app.dataframe if "SM, MHz" in item.value.columns)
    assert list(table["SM, MHz"]) == [345, 1980, 1755]
    slower = replace(on_gpu, gpu=tuple(replace(sample, sm_mhz=1200) for sample in clocks))
    runs = {"one": on_gpu, "other": slower}
    monkeypatch.setattr("trt_core.services.latency.Latencies.run", lambda _self, run_id: runs[run_id])
    assert [item.rule for item in bench.latency.compare("one", "other")[1]] == ["conditions-differ-clocks"]
