"""The deploy page: passport, targets, files."""

from __future__ import annotations

import pytest
import streamlit as st

from tests.deploy.stock import add_engine, add_model, plan_bytes, profile
from tests.pages.engines import opened, stocked, words
from trt_core.domain.jobs import JobKind
from trt_core.domain.precision import Precision
from trt_core.workbench import workspace_of


@pytest.fixture(autouse=True)
def _fresh_caches():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="module")
def rtx(tmp_path_factory):
    return stocked(tmp_path_factory.mktemp("rtx"))


@pytest.fixture(scope="module")
def tensorrt(tmp_path_factory):
    bench = workspace_of(tmp_path_factory.mktemp("tensorrt"))
    model = add_model(bench, name="![x](http://evil)")
    return bench, model, add_engine(bench, model, profiles=(profile("x=1x8:4x8:16x8"),))


def page(stock, monkeypatch, **query):
    bench, model, build = stock
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(bench.settings.workspace))
    return opened("deploy", **({"model": model.id, "build": build.id} | query))


def test_an_rtx_build_says_that_triton_does_not_load_it(rtx, monkeypatch):
    app = page(rtx, monkeypatch)

    shown = words(app)
    assert "This plan runs in TensorRT-RTX only" in shown
    assert "does not load" in shown
    assert "No engine is in this bundle" in shown
    assert app.radio("deploy.file.triton").options


def test_a_tensorrt_engine_names_the_triton_that_loads_it(tensorrt, monkeypatch):
    app = page(tensorrt, monkeypatch)

    shown = words(app)
    assert "This engine loads in Triton 24.12 on NVIDIA H100 PCIe." in shown
    assert "nvcr.io/nvidia/tritonserver:24.12-py3" in shown
    assert "http://evil)" not in "".join(str(item.value) for item in app.markdown)


def test_places_that_the_reader_names_are_answered_with_the_rule(tensorrt, monkeypatch):
    app = page(tensorrt, monkeypatch)

    app.multiselect("deploy.releases").set_value(["25.01"]).run()
    assert not app.exception
    assert "It was built with 10.7.0.23; Triton 25.01 has 10.8.0.43." in words(app)

    app.selectbox("deploy.gpu").set_value("A100").run()
    assert not app.exception
    assert "A100 is SM 8.0" in words(app)


def test_a_version_that_the_reader_names_is_answered_and_none_is_refused_in_place(tensorrt, monkeypatch):
    app = page(tensorrt, monkeypatch)

    app.text_input("deploy.tensorrt").set_value("10.8").run()
    assert "It was built with 10.7.0.23; the target has 10.8." in words(app)

    app.text_input("deploy.tensorrt").set_value("ten").run()
    assert not app.exception
    assert "'ten' is not a TensorRT version" in words(app)
    assert "Files for production" in [item.value for item in app.subheader]


def test_files_can_be_made_for_another_release_than_the_engines_own(tensorrt, monkeypatch):
    app = page(tensorrt, monkeypatch)

    app.selectbox("deploy.triton").set_value("26.08").run()

    shown = words(app)
    assert "nvcr.io/nvidia/tritonserver:26.08-py3" in shown
    assert "--triton-release 26.08" in shown
    assert "The engine does not load in Triton 26.08" in shown


def test_what_a_release_cannot_build_is_told_in_place_and_the_rest_stays(tmp_path, monkeypatch):
    bench = workspace_of(tmp_path)
    model = add_model(bench)
    build = add_engine(bench, model, precision=Precision.BF16, profiles=(profile("x=1x8:4x8:16x8"),))
    app = page((bench, model, build), monkeypatch)

    app.selectbox("deploy.triton").set_value("23.12").run()

    assert not app.exception
    shown = words(app)
    assert "TensorRT 8.6 has no BF16" in shown
    assert "In your own process, one GPU" in shown


@pytest.mark.parametrize(
    ("to", "file"),
    [("compose", "docker-compose.yml"), ("kubernetes", "base/deployment.yaml"), ("commands", "ci/rebuild.yml")],
)
def test_every_destination_has_its_files_and_a_preview(tensorrt, monkeypatch, to, file):
    app = page(tensorrt, monkeypatch)

    app.segmented_control("deploy.to").set_value(to).run()
    app.radio(f"deploy.file.{to}").set_value(file).run()

    assert not app.exception
    assert f"--to {to}" in words(app)
    assert any(len(item.value) > 200 for item in app.code)


def test_the_largest_batch_ends_where_the_profiles_end(tensorrt, monkeypatch):
    _, _, build = tensorrt
    app = page(tensorrt, monkeypatch)

    field = app.number_input(f"deploy.{build.id}.batch")

    assert (field.value, field.max) == (16, 16)


def test_an_engine_from_elsewhere_is_read_by_its_header(tensorrt, monkeypatch):
    app = page(tensorrt, monkeypatch)

    app.file_uploader("deploy.foreign").set_value(("x.plan", plan_bytes("10.3.0.26"), "application/octet-stream")).run()
    assert "TensorRT 10.3.0.26" in words(app)

    app.file_uploader("deploy.foreign").set_value(("x.plan", b"no engine", "application/octet-stream")).run()
    assert not app.exception
    assert "This is not a TensorRT engine" in words(app)


def test_a_model_without_an_engine_gets_one_in_one_click(tmp_path, monkeypatch):
    bench = workspace_of(tmp_path)
    model = add_model(bench)
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path))

    app = opened("deploy", model=model.id)
    assert "There is no build of" in words(app)

    app.button("deploy.build_now").click().run()

    assert not app.exception
    assert [job.kind for job in bench.jobs.jobs()] == [JobKind.BUILD]
    assert app.button("deploy.build_now").disabled


def test_ways_to_run_it_stand_beside_the_readers_own_numbers(tensorrt, monkeypatch):
    shown = words(page(tensorrt, monkeypatch))

    assert "Triton, several GPUs of one machine" in shown
    assert "No latency of this model has been measured yet" in shown


@pytest.mark.parametrize(
    ("to", "first"),
    [("triton", "config.pbtxt"), ("compose", "docker-compose.yml"), ("kubernetes", "base/deployment.yaml")],
)
def test_the_file_that_matters_most_is_shown_first(tensorrt, monkeypatch, to, first):
    app = page(tensorrt, monkeypatch)

    app.segmented_control("deploy.to").set_value(to).run()

    assert app.radio(f"deploy.file.{to}").value.endswith(first)
