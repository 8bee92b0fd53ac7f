"""Something tall, and below it a part that is drawn when it is seen."""

from __future__ import annotations

import streamlit as st

from pages.ui.seen import show_when_seen

st.title("Below")
st.button("Above")
with st.container(height=2000):
    st.text("tall")
show_when_seen(lambda: st.button("The part below"), key="below", height=300)
