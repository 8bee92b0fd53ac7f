"""Tabs draw what they hold when they are opened, and the address says which one is."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import open_tabs, tabs

_SCRIPT = """
import streamlit as st
from pages.ui.tabs import show_tabs

def failing():
    raise ValueError("a bug")

show_tabs(
    {"One": lambda: st.text("first"), "Two (3 more)": lambda: st.text("second"), "Bad": failing}, key="page.tab"
)
st.text("after")
"""


def _said(app: AppTest) -> list[str]:
    return [item.value for item in app.text]


@pytest.fixture
def app():
    return AppTest.from_string(_SCRIPT).run()


def test_only_the_open_tab_is_drawn(app):
    assert tabs(app) == ["One", "Two (3 more)", "Bad"]
    assert _said(app) == ["first", "after"]


def test_a_link_opens_its_tab_and_a_count_in_the_label_is_not_part_of_it():
    app = AppTest.from_string(_SCRIPT)
    app.query_params["tab"] = "two"

    assert _said(app.run()) == ["second", "after"]


def test_a_link_to_a_tab_that_is_not_there_opens_the_first():
    app = AppTest.from_string(_SCRIPT)
    app.query_params["tab"] = "<none>"

    assert _said(app.run()) == ["first", "after"]


def test_what_was_opened_stays_drawn_so_that_nothing_typed_in_it_is_lost(app):
    open_tabs(app, "two")

    assert _said(app) == ["first", "second", "after"]


def test_a_failing_tab_is_a_box_in_its_place_and_the_rest_stands(app):
    open_tabs(app, "bad")

    assert "This part of the page failed" in app.error[0].value
    assert _said(app) == ["first", "after"]
