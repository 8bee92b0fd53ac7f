"""Two buttons that save a text, one of which cannot, and a button whose run draws all again."""

from __future__ import annotations

import time

import streamlit as st

from pages.ui import save
from pages.ui.save import save_button
from trt_core.errors import NotFound

st.html(f"<style>{save.STYLE}</style>")
st.title("Saving")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.text(f"Run {st.session_state['runs']} of the page")


def make() -> str:
    """Another text each time."""
    st.session_state["made"] = st.session_state.get("made", 0) + 1
    return f"\N{BYTE ORDER MARK}Grüße {st.session_state['made']}"


def fail() -> str:
    """The error of a file that is gone."""
    raise NotFound("The log is gone.", remedy="Run it again.")


def slow() -> str:
    """A text that takes a while."""
    time.sleep(1.5)
    return "late"


save_button("Save late", slow, filename="late.txt", mime="text/plain", key="late")
which = st.segmented_control("Run", ["A", "B"], default="A")
save_button("Save the run", lambda: f"run {which}", filename=f"{which}.txt", mime="text/plain", key="run")
save_button("Save <b>it</b>", make, filename="words.csv", mime="text/csv", key="good")
save_button("Save the log", fail, filename="log.txt", mime="text/plain", key="bad")
st.button("Again")
st.text(f"Showing {which}")
