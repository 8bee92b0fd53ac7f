"""The build page: empty, filled, failing."""

from __future__ import annotations

import io
import json
import re

import pytest
import streamlit as st

from tests import models
from tests.pages.conftest import charts, open_expanders, open_tabs, saves, scroll_to
from tests.pages.engines import asked, opened, stocked, words
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import ParseFailed
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return stocked(tmp_path_factory.mktemp("stock"))


@pytest.fixture(autouse=True)
def _fresh_caches():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def _stocked(stock, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(stock[0].settings.workspace))


@pytest.fixture
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path))


def key(model, *parts):
    return ".".join(("build", model.id, *parts))


@pytest.mark.usefixtures("_empty")
def test_an_empty_workspace_offers_the_sample_that_fills_the_page(tmp_path):
    app = opened("build")
    assert "no model in the workspace" in words(app)

    app.button("build.sample").click().run()

    assert not app.exception
    assert [model.id for model in workspace_of(tmp_path).library.models()] == [asked(app, "model")]
    assert "What will happen" in words(app)


@pytest.mark.usefixtures("_stocked")
def test_a_stored_build_answers_requested_against_actual(stock):
    _, model, build = stock

    app = opened("build", model=model.id, build=build.id)
    scroll_to(app, "build.result", "build.builds")

    assert f"INT8 was asked for; {build.precisions['int8']} of {build.layer_count} layers run in it." in words(app)
    assert "ahead-of-time plan for SM 8.6" in words(app)
    assert "Builds of this model" in [item.value for item in app.subheader]
    assert "Report as one HTML file" in saves(app)


@pytest.mark.usefixtures("_stocked")
def test_what_the_target_cannot_do_is_disabled_with_the_reason(stock):
    app = opened("build", model=stock[1].id)
    assert app.button("build.precision.fp8").disabled
    assert "FP8 needs SM 8" in app.button("build.precision.fp8").help.replace("\\", "")

    app = opened("build", model=stock[1].id, target="89")

    assert not app.button("build.precision.fp8").disabled


@pytest.mark.usefixtures("_stocked")
def test_options_without_effect_are_disabled_with_the_reason(stock):
    app = opened("build", model=stock[1].id)
    open_expanders(app, "build.options")

    assert app.selectbox("build.level").disabled
    assert "No effect" in app.selectbox("build.level").help


@pytest.mark.usefixtures("_stocked")
def test_the_same_request_is_known_before_it_is_sent(stock):
    app = opened("build", model=stock[1].id)

    app.button("build.precision.int8").click().run()

    assert not app.exception
    assert "The store has this engine" in words(app)


@pytest.mark.usefixtures("_stocked")
def test_calibration_begins_with_data_that_call_themselves_calibration(stock):
    bench, model, _ = stock

    app = opened("build", model=model.id)
    app.button("build.precision.int8").click().run()

    assert "calibration" in bench.library.data(asked(app, "data")).name
    hint = app.segmented_control("build.method").help
    assert "keeps most of its accuracy by entropy" in hint
    assert "Validate what you choose" in hint


@pytest.mark.usefixtures("_stocked")
def test_a_profile_out_of_order_is_told_at_the_form_and_cannot_be_sent(stock):
    _, model, _ = stock
    app = opened("build", model=model.id)
    app.button(key(model, "profile.add")).click().run()
    assert "**Profiles**" in words(app)

    app.number_input(key(model, "profile.2.0.min")).set_value(9).run()

    assert not app.exception
    told = [item.value for item in app.error]
    assert len(told) == 1
    assert "Profile 2" in told[0]
    assert app.button("build.submit").disabled
    assert "**Profiles**" not in words(app)  # there is nothing true to draw


@pytest.mark.usefixtures("_stocked")
def test_the_long_form_of_a_quantized_build_is_drawn_when_a_reader_comes_to_it_and_holds_the_same_before(stock):
    _, model, build = stock
    app = opened("build", model=model.id, build=build.id)
    before = [item.value for item in app.code]
    assert "build.submit" not in [item.key for item in app.button]
    assert any("The store has this engine" in item.value for item in app.success)

    scroll_to(app, "build.shapes")
    assert app.button("build.submit").label == "Build the engine"
    assert [item.value for item in app.code] == before
    app.number_input(key(model, "profile.1.0.max")).set_value(16).run()
    app.button("build.precision.int4").click().run()
    app.button("build.precision.int8").click().run()
    assert app.number_input(key(model, "profile.1.0.max")).value == 16


@pytest.mark.usefixtures("_stocked")
def test_the_short_form_of_a_cast_build_is_drawn_at_once(stock):
    app = opened("build", model=stock[1].id)
    assert app.button("build.submit").label == "Build the engine"


@pytest.mark.usefixtures("_stocked")
def test_a_preset_fills_the_batch_of_its_profile_and_the_commands_follow(stock):
    _, model, _ = stock
    app = opened("build", model=model.id)

    open_tabs(app, "trtexec-11-x", name="tool")
    app.button(key(model, "profile.1.preset.8")).click().run()

    assert not app.exception
    assert [app.number_input(key(model, f"profile.1.0.{word}")).value for word in ("min", "opt", "max")] == [1, 4, 8]
    assert "--minShapes=image:1x1x16x16 --optShapes=image:4x1x16x16 --maxShapes=image:8x1x16x16" in words(app)


@pytest.mark.usefixtures("_stocked")
def test_a_build_runs_as_a_job_and_its_result_stays_in_the_address(stock):
    bench, model, _ = stock
    app = opened("build", model=model.id)

    app.button("build.submit").click().run()
    assert not app.exception
    job_id = asked(app, "job")
    bench.jobs.wait(job_id, on_look=lambda _: None)
    app = opened("build", model=model.id, job=job_id)

    assert "job" not in app.query_params
    assert bench.builds.build(asked(app, "build")).recipe.precision.value == "fp16"
    assert "FP16 was asked for; all" in words(app)


@pytest.mark.usefixtures("_stocked")
def test_a_build_that_is_not_there_is_a_red_box_not_a_blank_page(stock):
    app = opened("build", model=stock[1].id, build="b-000000000000")

    assert [item for item in app.error if "What to do" in item.value]


@pytest.mark.usefixtures("_empty")
def test_a_model_that_the_parser_refuses_ends_in_its_reason_and_what_to_do(tmp_path):
    bench = workspace_of(tmp_path)
    model = bench.library.add_sample("unsupported_op")
    app = opened("build", model=model.id)

    app.button("build.submit").click().run()
    job_id = asked(app, "job")
    with pytest.raises(ParseFailed):
        bench.jobs.wait(job_id, on_look=lambda _: None)
    app = opened("build", model=model.id, job=job_id)

    assert "ChannelGate" in words(app)
    assert "What to do" in words(app)
    assert "What will happen" in words(app)


@pytest.mark.usefixtures("_empty")
def test_names_from_a_model_are_text_on_both_pages(tmp_path):
    evil = "![x](http://evil.example/p.png)<img src=x onerror=alert(1)>$a$:rocket:"
    proto = models.mlp()
    for node in proto.graph.node:
        node.name = f"{evil}{node.name}"
    bench = workspace_of(tmp_path)
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(proto.SerializeToString())})
    spec = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)))
    build = bench.builds.perform(spec, CollectingReporter()).record

    for page in ("build", "fusion"):
        app = opened(page, model=model.id, build=build.id)
        if page == "fusion":
            app.selectbox("fusion.node").set_value(0).run()
            app.selectbox("fusion.layer").set_value(bench.builds.fusion(build.id).layers[0].index).run()
        assert not app.exception
        for element in (*app.markdown, *app.caption, *app.info, *app.error):
            outside_code = re.sub(r"`[^`]*`", "", element.value)
            assert "![x](" not in outside_code
            assert "<img" not in outside_code
        assert "<img" not in json.dumps(charts(app))
    assert charts(app)


@pytest.mark.usefixtures("_stocked")
def test_a_row_of_the_history_opens_that_build_in_its_place(stock, monkeypatch):
    bench, model, build = stock
    wanted = [item.id for item in bench.builds.builds(model.id)].index(build.id)
    monkeypatch.setattr("pages.ui.build_result.show_table", lambda rows, *, key, **_: _row(key, rows, wanted))

    app = opened("build", model=model.id)
    scroll_to(app, "build.builds")

    assert asked(app, "build") == build.id
    assert "layers run in it" in words(app)


def _row(key, rows, wanted):
    """What a reader's click on that row of the history gives back."""
    assert not any(str(value).startswith(("/", "http")) for row in rows for value in row.values())
    return wanted if key == "build.history" else None
