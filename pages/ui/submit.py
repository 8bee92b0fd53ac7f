"""The button that asks for a job."""

from __future__ import annotations

import streamlit as st


def submit_button(label: str, *, key: str, icon: str, reason: str) -> bool:
    """True when it was pressed; a reason why the job cannot be asked for stands above it, and it is off."""
    if reason:
        st.caption(reason)
    return st.button(
        label,
        key=key,
        type="primary",
        disabled=bool(reason),
        help=reason or None,
        icon=icon,
        width="stretch",
    )
