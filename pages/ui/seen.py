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

# While the page is built, what stands above is not as high yet: only what stays in the window is seen. Of two that are
# seen at one moment Streamlit hears one: each says it at a moment of its own, and again until it is drawn. The keyboard
# can come here too: where it is, the browser scrolls.
_STAYS = """
export default function ({ data, parentElement, setStateValue }) {
  const place = parentElement.querySelector(".place");
  place.style.height = `${data.height}px`;
  place.tabIndex = data.height ? 0 : -1;
  place.toggleAttribute("aria-hidden", !data.height);
  place.rest?.();
  if (!data.height) return undefined;
  let next;
  const tell = (after) => {
    next = setTimeout(() => {
      setStateValue("seen", Date.now());
      tell(1500);
    }, after * (1 + Math.random()));
  };
  const watch = new IntersectionObserver((changes) => {
    clearTimeout(next);
    // A busy browser hands over several changes at once, the last of them in force.
    if (changes.at(-1).isIntersecting) tell(200);
  });
  watch.observe(place);
  place.rest = () => {
    clearTimeout(next);
    watch.disconnect();
  };
  return place.rest;
}
"""
_PLACE = '<div class="place" role="status" aria-label="What stands here is drawn when you come to it"></div>'


@cache
def _component() -> Any:
    return st.components.v2.component("enginescope.seen", js=_STAYS, html=_PLACE)


def show_when_seen(draw: Callable[[], object], *, key: str, height: int, at_once: bool = False) -> None:
    """Keep about `height` pixels free, and draw there when they come into the window; what was seen stays drawn.

    `at_once` is for what the address asks for. A fragment: nothing else is drawn again.
    """
    st.fragment(_seen)(draw, key, height, at_once)


def is_seen(*, key: str, height: int, at_once: bool = False) -> bool:
    """Whether a reader has come to this place, which is about `height` pixels free until then.

    No fragment: for what the rest of the page depends on, too.
    """
    opened = opened_under(key)
    if at_once or (st.session_state.get(key) or {}).get("seen"):
        opened.add(key)
    place = {"height": 0 if opened else height}
    _component()(key=key, data=place, default={"seen": 0}, height="content", on_seen_change=_nothing)
    return bool(opened)


def _seen(draw: Callable[[], object], key: str, height: int, at_once: bool) -> None:
    with st.container(gap=None):
        if is_seen(key=key, height=height, at_once=at_once):
            with st.container(), boundary():
                draw()


def _nothing() -> None:
    """Streamlit reports a value only where a callback is named for it."""
