"""Toasts that survive a rerun: Streamlit drops what a run has not sent yet when the next one begins."""

from __future__ import annotations

import streamlit as st

_PENDING = "frame.notices"


def announce(markdown: str) -> None:
    """Keep a sentence for the end of the next run that is not cut short. Foreign text in it must be escaped."""
    st.session_state.setdefault(_PENDING, []).append(markdown)


def show_notices() -> None:
    """Show what was kept; call it where no rerun can follow."""
    for markdown in st.session_state.pop(_PENDING, []):
        st.toast(markdown, duration=8)
