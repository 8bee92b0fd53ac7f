"""What stands below the window is drawn when the reader comes near it, and not before.

Half of a visit's work was for tables and plots under the fold, and most visits end above it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

from pages.ui.errors import boundary
from pages.ui.tabs import opened_under

# While the page is built, what stands above is not as high yet: only what stays in the window is seen.
_STAYS = """
export default function ({ parentElement, setStateValue }) {
  let wait;
  const watch = new IntersectionObserver(([entry]) => {
    clearTimeout(wait);
    if (entry.isIntersecting) wait = setTimeout(() => setStateValue("seen", true), 250);
  });
  watch.observe(parentElement.host ?? parentElement);
  return () => {
    clearTimeout(wait);
    watch.disconnect();
  };
}
"""


@cache
def _component() -> Any:
    return st.components.v2.component("enginescope.seen", js=_STAYS, html="<div></div>")


def show_when_seen(draw: Callable[[], object], *, key: str, height: int) -> None:
    """Keep about `height` pixels free, and draw there when they come into the window; what was seen stays drawn.

    A fragment: nothing else is drawn again.
    """
    st.fragment(_seen)(draw, key, height)


def _seen(draw: Callable[[], object], key: str, height: int) -> None:
    opened = opened_under(key)
    if (st.session_state.get(key) or {}).get("seen"):
        opened.add(key)
    with st.container(gap=None):
        _component()(key=key, default={"seen": False}, height=1 if opened else height, on_seen_change=_nothing)
        if opened:
            with st.container(), boundary():
                draw()


def _nothing() -> None:
    """Streamlit reports a value only where a callback is named for it."""
