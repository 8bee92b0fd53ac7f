"""Tabs that are drawn when a reader opens them, and not before.

Streamlit sends what every tab holds, and the browser draws it all: on a page of thousands of nodes most of its work is
for what nobody looks at. What was opened once stays drawn while the reader is on the page, so that nothing typed,
zoomed or scrolled there is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import streamlit as st

from pages.ui.errors import boundary
from pages.ui.state import select


def show_tabs(tabs: Mapping[str, Callable[[], object]], *, key: str, name: str = "tab") -> None:
    """Tabs with what draws them; the open one is in the address under `name`, the first one is without a word there.

    A fragment: a click on a tab draws nothing else again.
    """
    st.fragment(_tabs)(tabs, key, name)


def _tabs(tabs: Mapping[str, Callable[[], object]], key: str, name: str) -> None:
    with boundary():
        opened = opened_under(key)
        by_slug = {_slug(label): label for label in tabs}
        # The address is the memory of the choice; a word in it that means no tab here opens the first.
        st.session_state[key] = by_slug.get(str(st.query_params.get(name, "")), next(iter(tabs)))
        places = st.tabs(list(tabs), key=key, on_change=_remember, args=(key, name, next(iter(tabs))))
        for slug, place, draw in zip(by_slug, places, tabs.values(), strict=True):
            if place.open:
                opened.add(slug)
            if slug in opened:
                with place:
                    draw()


def opened_under(key: str) -> set[str]:
    """What was opened under a key since the reader came to the page: Streamlit forgets a widget that is left."""
    opened: set[str] = st.session_state.setdefault(f"{key}.opened", set())
    if key not in st.session_state:
        opened.clear()
    return opened


def _remember(key: str, name: str, first: str) -> None:
    label = st.session_state[key]
    select({name: "" if label == first else _slug(label)})


def _slug(label: str) -> str:
    """`expected-fusions` for `Expected fusions (3 missing)`: a count in a label must not break its link."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)", "", label.lower())).strip("-")
