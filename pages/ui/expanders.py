"""Folded boxes that are drawn when a reader opens them, and not before.

Streamlit sends what a folded box holds, and the browser builds it all: a form of twenty fields that nobody asked for
costs more than the plot beside it. What was opened once stays drawn while the reader is on the page, folded or not, so
that nothing typed, chosen or uploaded in it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.errors import boundary
from pages.ui.state import travelling
from pages.ui.tabs import opened_under

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_expander_container import ExpanderContainer


def show_expander(
    label: str, draw: Callable[[], object], *, key: str, icon: str | None = None, expanded: bool = False
) -> None:
    """A folded box with what draws it; where `expanded` changes between two runs, the box follows it.

    A fragment: to open it, or to change what is in it, draws nothing else again. Where that changes what the links of
    the page carry along, the whole page is drawn.
    """
    place = partial(st.expander, label, icon=icon, key=key, on_change="rerun")
    st.fragment(_expander)(place, draw, key=key, expanded=expanded, carried=travelling())


def folded_box(label: str, *, key: str, icon: str | None = None) -> ExpanderContainer | None:
    """A folded box to draw in; None while it has not been opened since the reader came to the page.

    No fragment: for what decides what the rest of the page says.
    """
    opened = opened_under(key)
    box = st.expander(label, icon=icon, key=key, on_change="rerun")
    if box.open:
        opened.add(key)
    return box if opened else None


def _expander(
    place: Callable[[], ExpanderContainer],
    draw: Callable[[], object],
    *,
    key: str,
    expanded: bool,
    carried: Mapping[str, str],
) -> None:
    if travelling() != carried:
        st.rerun()
    opened = opened_under(key)
    usual = f"{key}.expanded"
    if key not in st.session_state or st.session_state.get(usual, expanded) != expanded:
        st.session_state[key] = expanded
    st.session_state[usual] = expanded
    box = place()
    if box.open:
        opened.add(key)
    if opened:
        with box, boundary():
            draw()
