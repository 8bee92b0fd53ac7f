"""Two rows of tabs, one of them slow, and a button whose run draws all again."""

from __future__ import annotations

import time

import streamlit as st

from pages.ui import tabs
from pages.ui.tabs import show_tabs

st.html(f"<style>{tabs.STYLE}</style>")
st.title("Tabs")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.text(f"Run {st.session_state['runs']} of the page")


def slow() -> None:
    """Draws after a while."""
    time.sleep(0.8)
    st.text("the slow one's words")


show_tabs(
    {
        "First": lambda: st.text("the first one's words"),
        "Slow": slow,
        "Last (2)": lambda: st.text("the last one's words"),
    },
    key="top.tab",
)
st.text("between")
show_tabs({"Here": lambda: st.text("words here"), "There": lambda: st.text("words there")}, key="low.tab", name="low")
st.button("Again")
