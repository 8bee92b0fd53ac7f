"""Pages under AppTest, over the real workbench in a folder of the test."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui import chart
from pages.ui.chart import figure_text
from tests import models
from tests.pages.colours import colourless
from trt_core.domain.artifacts import ModelRecord
from trt_core.workbench import Workbench, open_workbench

ROOT = Path(__file__).parents[2]
OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _no_cache_of_another_test() -> None:
    """A report by command line reads pages' caches, too, and leaves its workbench in them."""
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(autouse=True)
def _every_trace_has_a_colour(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No figure that a page draws in any test leaves a colour to Plotly, whose own vanish on one theme or the other."""
    drawn: list[Any] = []

    def noted(figure: Any) -> bytes:
        drawn.append(figure)
        return figure_text(figure)

    monkeypatch.setattr(chart, "figure_text", noted)
    yield
    assert [part for figure in drawn for part in colourless(figure)] == []
    assert {figure.layout.template.layout.colorway for figure in drawn} <= {None}, "Streamlit's, which only it can read"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A workbench over the same folder as the pages'."""
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path / "workspace"))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield open_workbench()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def open_page(bench: Workbench) -> OpenPage:
    """Open a page by its key with a query, as a link would; fails on any exception that the page lets out."""

    def opened(key: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"pages/{key}.py").run()
        assert not app.exception, app.exception[0].message
        return app

    return opened


@pytest.fixture
def mlp(bench: Workbench) -> ModelRecord:
    """A small dynamic model in the workspace."""
    return bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})


def cards(app: AppTest) -> dict[str, tuple[str, str]]:
    """The cards of a page in their order: value and how it was measured, by label."""
    blocks = "".join(item.proto.body for item in app.get("html") if 'class="cards"' in item.proto.body)
    parts = re.findall(
        r"<div><dt>(.*?)(?:<span[^>]*>.*?</span><em[^>]*>(.*?)</em>)?</dt><dd[^>]*>(.*?)</dd></div>", blocks
    )
    return {html.unescape(label): (html.unescape(value), html.unescape(how)) for label, how, value in parts}


def findings(app: AppTest) -> list[str]:
    """The words of each block of findings on a page."""
    blocks = [item.proto.body for item in app.get("html") if 'class="findings"' in item.proto.body]
    return [html.unescape(re.sub("<[^>]*>", "", body.replace("</p>", "\n"))) for body in blocks]


def tabs(app: AppTest) -> list[str]:
    """The labels of all tabs of a page."""
    rows = [item.proto.json for item in app.get("bidi_component") if item.proto.component_name == "enginescope.tabs"]
    return [tab["label"] for row in rows for tab in json.loads(row)["tabs"]]


def charts(app: AppTest) -> list[dict[str, Any]]:
    """The figures of a page in their order, as the browser gets them."""
    return [json.loads(told.split(b"\n", 1)[1]) for told in charts_told(app)]


def charts_told(app: AppTest) -> list[bytes]:
    """All that the browser is told of each chart of a page."""
    return [item.proto.bytes for item in app.get("bidi_component") if item.proto.component_name == "enginescope.chart"]


def saves(app: AppTest) -> list[str]:
    """The labels of all buttons that save a text as a file."""
    drawn = [item.proto.json for item in app.get("bidi_component") if item.proto.component_name == "enginescope.save"]
    return [json.loads(words)["label"] for words in drawn]


def open_tabs(app: AppTest, *tabs: str, name: str = "tab") -> None:
    """Open one tab after another by its word in the address; what was opened stays drawn."""
    for tab in tabs:
        app.query_params[name] = tab
        app.run()
        assert not app.exception


def open_expanders(app: AppTest, *keys: str) -> None:
    """Open one folded box after another by its key; what was opened stays drawn."""
    for key in keys:
        app.session_state[key] = True
        app.run()
        assert not app.exception


def scroll_to(app: AppTest, *keys: str) -> None:
    """Bring one part of the page after another into the window by its key; what was seen stays drawn."""
    for key in keys:
        app.session_state[f"{key}.opened"] = {key}
        app.run()
        assert not app.exception


def words(app: AppTest) -> str:
    """Everything that the page says in boxes, sentences and captions."""
    blocks = (app.title, app.markdown, app.caption, app.info, app.warning, app.error, app.success, app.subheader)
    return "\n".join([*(str(element.value) for block in blocks for element in block), *findings(app)])
