"""A page with a folded form: it makes a result, or changes the selection that links carry along."""

from __future__ import annotations

import streamlit as st

from pages.ui.expanders import show_expander
from pages.ui.state import select

st.session_state["runs"] = st.session_state.get("runs", 0) + 1


def form() -> None:
    """What is folded away."""
    st.text_input("Name", key="page.name")
    st.button("Choose", key="page.choose", on_click=select, args=({"model": "m-0123456789ab"},))
    if st.button("Make", key="page.make"):
        st.session_state["made"] = True
        st.rerun()


show_expander("New", form, key="page.new", expanded=not st.session_state.get("made"))
show_expander("Other", lambda: st.text("the other's words"), key="page.other")
st.text(f"Run {st.session_state['runs']} of the page, model {st.query_params.get('model', 'none')}")
