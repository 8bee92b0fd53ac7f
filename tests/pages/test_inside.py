"""The section on engines of the Divergence page: without a GPU, filled, refusing."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.report import render
from pages.ui.report_inside import inside_report
from tests.fake_engines import Bench
from tests.pages.conftest import open_expanders, open_tabs, scroll_to, words
from trt_core.domain.precision import Precision
from trt_core.domain.requests import DivergeSpec
from trt_core.testing import CollectingReporter, FakeTensorRT, Plant


def said(app) -> str:
    """What the page says, without the marks that keep foreign text from being Markdown."""
    return words(app).replace("\\", "")


@pytest.fixture
def looked(bench, tmp_path):
    """A look that was kept in the page's workspace, by a fake TensorRT with these faults."""

    def made(*plants, wish=None, **engines):
        prefix = engines.pop("prefix", "b")
        fake = Bench(tmp_path, FakeTensorRT(plants, **engines), prefix=prefix)
        return fake.look(**(wish or {}))

    return made


def test_without_a_gpu_the_section_says_why_and_nothing_is_disabled_without_its_reason(mlp, open_page):
    app = open_page("divergence", model=mlp.id)
    scroll_to(app, "divergence.inside")
    assert "Inside the TensorRT engine" in said(app)
    assert "needs an NVIDIA GPU and TensorRT" in said(app)
    open_expanders(app, "inside.new")
    assert app.button("inside.submit").disabled
    assert "needs an NVIDIA GPU" in app.button("inside.submit").help
    assert app.selectbox(f"inside.build.{mlp.id}").disabled
    assert "Build the model with the backend TensorRT" in app.selectbox(f"inside.build.{mlp.id}").help


def test_without_an_engine_the_square_shows_its_half_and_why_the_rest_is_absent(bench, mlp, open_page):
    bench.divergence.perform(DivergeSpec(model_id=mlp.id, against=(Precision.FP16,), samples=2), CollectingReporter())
    app = open_page("divergence", model=mlp.id)
    scroll_to(app, "divergence.inside")
    (table,) = [item.value for item in app.dataframe if "TensorRT" in item.value.columns]
    assert list(table["precision"]) == ["FP32", "FP16"]
    assert table["ONNX Runtime"][0] == "the reference"
    assert " dB at y" in table["ONNX Runtime"][1]
    assert set(table["TensorRT"]) == {"absent"}
    assert "The TensorRT column is absent: Divergence inside an engine needs an NVIDIA GPU" in said(app)


def test_a_fault_is_named_with_the_evidence_of_the_observer_check(looked, open_page):
    run = looked(Plant(tensor="b3_sum", factor=1.5))
    app = open_page("divergence", model=run.model_id, inside=run.id)
    open_tabs(app, "observer-check", "four-way-square", name="seen")
    assert "The FP16 engine is wrong: its worst output" in said(app)
    assert "The loss begins at `sum3`." in said(app)
    assert "Fusions **unchanged**" in said(app)
    assert "the engine is to blame, not the quantization" in said(app)
    assert "Nothing can be concluded" not in said(app)


def test_an_engine_that_changed_when_watched_gives_no_conclusion_but_the_reason(looked, open_page):
    run = looked(Plant(tensor="b3_sum", factor=1.5), nervous=True, wish={"search": "groups"})
    app = open_page("divergence", model=run.model_id, inside=run.id)
    open_tabs(app, "observer-check", name="seen")
    assert "Nothing can be concluded about inner tensors. Marking changed the fusions" in said(app)
    assert "only without marks: up0 + act0 in fp16" in said(app)
    assert "The loss begins" not in said(app)
    tables = [item.value for item in app.dataframe if "believed" in item.value.columns]
    assert set(tables[0]["believed"]) == {"no: watching changed the engine"}


def test_an_opaque_engine_shows_every_build_of_the_search(looked, open_page):
    run = looked(Plant(tensor="b3_down"), opaque=True)
    app = open_page("divergence", model=run.model_id, inside=run.id, seen="cuts")
    assert "is an opaque block of the compiler" in said(app)
    assert "The fault lies in 4 nodes behind `b2_sum` and up to `b3_sum`." in said(app)
    assert "the fault was there, behind the cut" in said(app)


def test_names_out_of_a_model_do_not_become_markdown(looked, open_page):
    run = looked(Plant(tensor="![x](//evil)3_down"), opaque=True, prefix="![x](//evil)")
    app = open_page("divergence", model=run.model_id, inside=run.id, seen="cuts")
    assert run.bisection.faulty == "![x](//evil)3_sum"
    outside_code = "".join(words(app).split("`")[::2])
    assert "evil" in outside_code
    assert "![x](//evil)" not in outside_code


def test_the_report_holds_every_answer_and_escapes_names(looked, bench):
    run = looked(Plant(tensor="<b>evil</b>3_down"), opaque=True, prefix="<b>evil</b>")
    page = render(inside_report(bench, run))
    assert "<b>evil" not in page
    assert "the fault was there, behind the cut" in page
    assert "the engine is to blame" in page
    clean = render(inside_report(bench, looked()))
    assert "Inner tensors that may be believed" in clean
    assert "copies hand the marked tensors out" in clean


def test_a_link_to_a_look_that_is_gone_says_so(looked, open_page):
    run = looked()
    app = open_page("divergence", model=run.model_id, inside="i-0123456789ab")
    assert "which is not one of this model's" in said(app)


@pytest.fixture
def no_links(monkeypatch):
    """A piece of a page that runs alone has no other pages to link to."""
    monkeypatch.setattr("pages.ui.inside_square.link_to", lambda *_, **__: None)


def test_triage_says_why_the_tensorrt_column_is_absent(bench, mlp, no_links):
    app = AppTest.from_function(_blame)
    app.session_state["model"] = mlp.id
    app.run(timeout=30)
    assert not app.exception
    assert "Its TensorRT column is absent: Divergence inside an engine needs an NVIDIA GPU" in said(app)


def test_triage_shows_the_newest_square_of_its_precision(looked, no_links):
    run = looked(Plant(tensor="b3_sum", factor=1.5))
    app = AppTest.from_function(_blame)
    app.session_state["model"] = run.model_id
    app.run(timeout=30)
    assert not app.exception
    assert "the engine is to blame, not the quantization" in said(app)


def _blame():
    import streamlit as st

    from pages.ui.bench import workbench
    from pages.ui.inside_square import show_blame

    show_blame(workbench(), st.session_state["model"], "fp16")
