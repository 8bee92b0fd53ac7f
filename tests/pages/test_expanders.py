"""A folded box draws what it holds when it is opened, keeps it, and follows the page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import open_expanders

_SCRIPT = """
import streamlit as st
from pages.ui.expanders import show_expander

def form():
    st.text_input("Name", key="page.name")

def failing():
    raise ValueError("a bug")

show_expander("New", form, key="page.new", expanded=not st.session_state.get("results"))
show_expander("Bad", failing, key="page.bad")
st.text("after")
"""


@pytest.fixture
def app():
    app = AppTest.from_string(_SCRIPT)
    app.session_state["results"] = 1
    return app.run()


def _is_open(app: AppTest) -> bool:
    return app.expander[0].proto.expanded


def test_a_folded_box_is_not_drawn(app):
    assert [box.label for box in app.expander] == ["New", "Bad"]
    assert not app.text_input


def test_an_opened_box_is_drawn_and_what_was_typed_in_it_outlives_its_folding(app):
    open_expanders(app, "page.new")
    app.text_input(key="page.name").input("mine").run()
    app.session_state["page.new"] = False
    app.run()

    assert not _is_open(app)
    assert app.text_input(key="page.name").value == "mine"


def test_a_box_that_was_open_for_want_of_results_folds_as_they_come_and_keeps_what_was_typed():
    app = AppTest.from_string(_SCRIPT).run()
    assert _is_open(app)
    app.text_input(key="page.name").input("mine").run()

    app.session_state["results"] = 1
    app.run()

    assert not _is_open(app)
    assert app.text_input(key="page.name").value == "mine"


def test_a_box_that_the_reader_opened_stays_open_over_the_runs_of_the_page(app):
    open_expanders(app, "page.new")

    assert _is_open(app.run())


def test_a_failing_box_is_a_message_in_its_place_and_the_rest_stands(app):
    open_expanders(app, "page.bad")

    assert "This part of the page failed" in app.expander[1].error[0].value
    assert [item.value for item in app.text] == ["after"]
