"""What stands below the window is drawn when it comes into it, and stays drawn while the reader is on the page."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import scroll_to

_SCRIPT = """
import streamlit as st
from pages.ui.seen import show_when_seen

def failing():
    raise ValueError("a bug")

if not st.session_state.get("elsewhere"):
    show_when_seen(lambda: st.text("a table"), key="page.table", height=400)
    show_when_seen(failing, key="page.bad", height=400)
st.text("after")
"""


def _said(app: AppTest) -> list[str]:
    return [item.value for item in app.text]


def test_nothing_is_drawn_before_it_is_seen_and_it_stays_drawn_after():
    app = AppTest.from_string(_SCRIPT).run()
    assert _said(app) == ["after"]

    scroll_to(app, "page.table")
    assert _said(app) == ["a table", "after"]
    assert _said(app.run()) == ["a table", "after"]


def test_who_comes_back_to_the_page_begins_at_its_top():
    app = AppTest.from_string(_SCRIPT).run()
    scroll_to(app, "page.table")

    app.session_state["elsewhere"] = True
    app.run()
    app.session_state["elsewhere"] = False
    app.run()

    assert _said(app) == ["after"]


def test_a_failing_part_is_a_box_in_its_place_and_the_rest_stands():
    app = AppTest.from_string(_SCRIPT).run()

    scroll_to(app, "page.bad")

    assert "This part of the page failed" in app.error[0].value
    assert _said(app) == ["after"]
