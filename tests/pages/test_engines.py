"""The engine explorer on real recordings."""

from __future__ import annotations

import io
import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.analysis.trt86 import FOLDER
from tests.pages.conftest import ROOT, cards, words
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

VIEWS = ("Where the time goes", "Tactics", "Memory", "Layers", "Findings", "Samples")


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    bench = workspace_of(tmp_path_factory.mktemp("recordings"))
    wanted = (
        "r18_fp16",
        "r18_int8_qdq",
        "r50_fp16",
        "r50_int8_calib",
        "r50_int8_qdq",
        "enc_fp16",
        "enc_int8_calib",
        "enc_int8_qdq",
    )
    files = {
        path.name: io.BytesIO(path.read_bytes())
        for path in FOLDER.glob("*.gz")
        if path.name.startswith(wanted) or path.name.startswith("results")
    }
    bench.recordings.add_files(files, device="NVIDIA H200", version="8.6.0")
    return bench, {item.name: item.id for item in bench.recordings.recordings()}


@pytest.fixture
def open_engines(stock, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(stock[0].settings.workspace))
    st.cache_resource.clear()

    def opened(view: str = "", **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        if view:
            app.query_params["view"] = view
        app.switch_page("pages/engines.py").run()
        assert not app.exception, app.exception[0].message
        return app

    yield opened
    st.cache_resource.clear()


def test_an_empty_workspace_opens_the_recordings_with_one_click(open_page, bench):
    app = open_page("engines")
    assert "There is no engine in the workspace yet" in words(app)

    app.button("engines.story.0").click().run()
    assert not app.exception
    job = bench.jobs.jobs()[0]
    assert bench.recordings.recordings() == []  # the page reads nothing: a worker does
    bench.jobs.wait(job.id, on_look=lambda _: None)
    app.run()
    assert not app.exception
    said = words(app).replace("\\", "")
    assert "`r50_int8_calib` is 1.01× (1.01–1.01) slower than `r50_fp16`" in said
    assert "INT8 was asked for; 2 of 54 layers with matrix work run in it" in said
    assert {item.project for item in bench.recordings.recordings()} >= {"r18", "r50", "enc"}


STORIES = {
    "ResNet-50: why is calibrated INT8 no faster?": "slower than `r50_fp16`. INT8 was asked for; 2 of 54 layers",
    "ResNet-50: why is Q/DQ INT8 faster?": "`r50_int8_qdq` is 1.22× (1.22–1.23) faster than `r50_fp16`",
    "ResNet-18: what does INT8 save, and where?": "`r18_int8_qdq` is",
    "ResNet-18: which tactics were timed?": "1,062 tactics were timed for `r18_fp16` in 6.60 s; in 10 layers",
    "Encoder: did INT8 run at all?": "INT8 was asked for; 0 of 1 layers with matrix work run in it",
}


@pytest.mark.parametrize("question", STORIES)
def test_a_story_opens_from_the_recordings_that_are_there_and_answers_at_the_top(open_engines, question):
    app = open_engines()
    (button,) = (item for item in app.button if item.label == question)
    button.click().run()
    assert not app.exception
    (answer,) = (str(item.value) for item in app.markdown if str(item.value).startswith("#### "))
    assert STORIES[question] in answer.replace("\\", "")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_an_engine_draws(open_engines, stock, view):
    app = open_engines(view, engine=stock[1]["r18_fp16"])
    said = words(app)
    answers = {"Tactics": "1,062 tactics were timed", "Memory": "needs weights 23.3 MiB, activations 15.3 MiB"}
    assert answers.get(view, "has 44 layers and takes 0.306 ms") in said.replace("\\", "")
    assert "NVIDIA H200" in said.replace("\\", "")


def test_the_tactics_of_resnet_18_are_counted(open_engines, stock):
    app = open_engines("Tactics", engine=stock[1]["r18_fp16"])
    assert cards(app)["Tactics timed"][0] == "1,062"


def test_two_engines_answer_why(open_engines, stock):
    ids = stock[1]
    app = open_engines(engine=ids["r50_fp16"], against=ids["r50_int8_calib"])
    said = words(app).replace("\\", "")
    assert "`r50_int8_calib` is 1.01×" in said
    assert "2 of 54 layers with matrix work run in it" in said

    app = open_engines(engine=ids["r50_fp16"], against=ids["r50_int8_qdq"])
    said = words(app).replace("\\", "")
    assert "faster than `r50_fp16`" in said
    assert "The largest saving: copies of constants" in said


def test_the_encoder_tells_that_no_layer_ran_in_int8(open_engines, stock):
    ids = stock[1]
    said = words(open_engines(engine=ids["enc_fp16"], against=ids["enc_int8_calib"])).replace("\\", "")
    assert "0 of 1 layers with matrix work run in it" in said


def test_an_engine_that_failed_to_build_is_said_to_have_no_layers(open_engines, stock):
    assert "has no layers" in words(open_engines(engine=stock[1]["enc_int8_qdq"]))


def test_ids_of_other_things_and_of_nothing_are_refused(open_engines):
    assert "is no engine" in words(open_engines(engine="m-000000000000")).replace("\\", "")
    assert "may have been deleted" in words(open_engines(engine="r-000000000000")).replace("\\", "")


def test_an_engine_that_was_never_timed_has_no_empty_cards(open_engines, stock):
    layers = io.BytesIO((FOLDER / "r18_int8_qdq.layers.json.gz").read_bytes())
    (made,) = stock[0].recordings.add_files({"untimed.layers.json.gz": layers})
    try:
        untimed = cards(open_engines(engine=made.id))
        assert set(untimed) == {"Layers", "Weights", "Moved"}
        assert "–" not in {value for value, _ in untimed.values()}
        timed = set(cards(open_engines("Findings", engine=stock[1]["r18_fp16"])))
        assert {"Latency, p50", "Sum of layers", "Layers", "Activations"} <= timed
        assert len(timed) == 5
    finally:
        stock[0].recordings.delete(made.id)


def test_a_tactic_that_other_formats_would_have_had_faster_is_named(open_engines, stock):
    app = open_engines("Tactics", engine=stock[1]["r18_fp16"])
    (table,) = (item.value for item in app.dataframe if "other formats, %" in item.value.columns)
    (pool,) = (row for _, row in table.iterrows() if "maxpool" in row["layer"])
    assert pool["other formats, %"] < 0


def test_names_out_of_an_export_are_never_read_as_markup(open_engines, stock):
    evil = "![x](http://evil.invalid/p.png)<script>"
    layers = {"Layers": [{"Name": evil, "LayerType": "CaskConvolution", "Inputs": [], "Outputs": []}]}
    profile = [{"count": 1}, {"name": evil, "averageMs": 1.0}]
    files = {
        f"{evil.replace('/', '')}.{part}.json": io.BytesIO(json.dumps(value).encode())
        for part, value in (("graph", layers), ("profile", profile))
    }
    (made,) = stock[0].recordings.add_files(files)
    try:
        for view in VIEWS:
            app = open_engines(view, engine=made.id)
            assert not any("![x](http://evil" in str(item.value) for item in (*app.caption, *app.info))
            assert not any(item.allow_html for item in app.markdown if "evil" in str(item.value))
    finally:
        stock[0].recordings.delete(made.id)


def test_a_build_shows_its_attempts_and_queues_one_more(open_page, bench, mlp):
    wish = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP16)), rebuild=True)
    builds = [bench.builds.perform(wish, CollectingReporter()).record for _ in range(2)]

    app = open_page("engines", engine=builds[0].id)
    app.segmented_control("engines.view").set_value("Attempts").run()
    assert not app.exception
    assert app.query_params["view"] in ("Attempts", ["Attempts"])
    assert "2 attempts" in words(app)

    app.number_input("engines.times").set_value(1).run()
    app.button("engines.again").click().run()
    assert not app.exception
    job = bench.jobs.jobs()[0]
    result = bench.jobs.wait(job.id, on_look=lambda _: None).result
    assert result["engine"] == f"{builds[0].id[:14]}-3"

    app = open_page("engines", job=job.id, view="Attempts")
    said = words(app).replace("\\", "")
    assert "3 attempts" in said
    assert "compiled ahead of time and do not run here" in said
