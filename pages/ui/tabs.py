"""Tabs that are drawn when a reader opens them, and not before.

Streamlit sends what every tab holds, and the browser draws it all: on a page of thousands of nodes most of its work is
for what nobody looks at. What was opened once stays drawn while the reader is on the page, so that nothing typed,
zoomed or scrolled there is lost. The row of tabs is a component of our own: Streamlit's takes Chromium as long as
five paragraphs and a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import streamlit as st

from pages.ui.errors import boundary
from pages.ui.state import select

# The browser shows what was drawn already at once, by a rule that hides all panels but one, and then tells the server.
# An answer to an earlier click does not turn back a later one; and each click is told with its moment, for Streamlit
# hears a value only when it is new, and the address may name another tab since (Back does that).
# Labels are set as text. A tab keeps its element from run to run, and so the keyboard's focus.
_ROW = """
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".tabs");
  const rule = root.rule ?? (root.rule = root.appendChild(document.createElement("style")));
  const tabs = root.all ?? (root.all = new Map());
  const show = (open) => {
    for (const [slug, tab] of tabs) {
      tab.setAttribute("aria-selected", String(slug === open));
      tab.tabIndex = slug === open ? 0 : -1;
    }
    const others = data.tabs.filter(({ slug }) => slug !== open);
    rule.textContent = others.map(({ panel }) => `.st-key-${panel} { display: none !important; }`).join(" ");
  };
  const choose = (slug) => {
    show(slug);
    root.at = Date.now();
    setStateValue("open", { slug, at: root.at });
  };
  const step = (event, slug) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const slugs = data.tabs.map((item) => item.slug);
    const here = slugs.indexOf(slug);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = slugs.at(to % slugs.length);
    choose(next);
    tabs.get(next).focus();
  };
  for (const [slug, tab] of tabs) {
    if (!data.tabs.some((item) => item.slug === slug)) {
      tab.remove();
      tabs.delete(slug);
    }
  }
  for (const { slug, label, panel } of data.tabs) {
    const tab = tabs.get(slug) ?? document.createElement("button");
    tabs.set(slug, tab);
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.dataset.panel = panel;
    if (tab.textContent !== label) tab.textContent = label;
    tab.onclick = () => choose(slug);
    tab.onkeydown = (event) => step(event, slug);
    if (tab.parentElement !== root) root.insertBefore(tab, rule);
  }
  if (data.at >= (root.at ?? 0)) show(data.open);
}
"""
# No foreign text here.
STYLE = """
.tabs { display: flex; flex-wrap: wrap; column-gap: 1.25rem; margin-bottom: 1rem;
  border-bottom: 1px solid light-dark(#d5dcd8, #36403f); }
.tabs button { all: unset; cursor: pointer; font-size: 0.875rem; line-height: 1.4; padding: 0.6rem 0 0.5rem;
  border-bottom: 2px solid transparent; margin-bottom: -1px; overflow-wrap: anywhere; }
.tabs button[aria-selected="true"] { color: light-dark(#2f6f4f, #6fbf8f); border-color: currentColor; }
.tabs button:hover { color: light-dark(#2f6f4f, #6fbf8f); }
.tabs button:focus-visible { outline: 2px solid light-dark(#2f6f4f, #6fbf8f); outline-offset: 2px; }
"""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "enginescope.tabs", js=_ROW, html='<div class="tabs" role="tablist"></div>', isolate_styles=False
    )


def show_tabs(tabs: Mapping[str, Callable[[], object]], *, key: str, name: str = "tab") -> None:
    """Tabs with what draws them; the open one is in the address under `name`, the first one is without a word there.

    A fragment: a click on a tab draws nothing else again.
    """
    st.fragment(_tabs)(tabs, key, name)


def _tabs(tabs: Mapping[str, Callable[[], object]], key: str, name: str) -> None:
    # No gap: each panel that is hidden would leave one.
    with st.container(gap=None), boundary():
        opened = opened_under(key)
        by_slug = {_slug(label): label for label in tabs}
        # The address is the memory of the choice; a word in it that means no tab here opens the first.
        asked = str(st.query_params.get(name, ""))
        current = asked if asked in by_slug else next(iter(by_slug))
        opened.add(current)
        clicked_at = _said(key).get("at", 0)
        row = [{"slug": slug, "label": label, "panel": _panel(key, slug)} for slug, label in by_slug.items()]
        _component()(
            key=key,
            data={"open": current, "at": clicked_at, "tabs": row},
            default={"open": {"slug": current, "at": 0}},
            height="content",
            on_open_change=lambda: _remember(key, name, next(iter(by_slug))),
        )
        for slug, label in by_slug.items():
            if slug in opened:
                with st.container(key=_panel(key, slug)):
                    tabs[label]()


def opened_under(key: str) -> set[str]:
    """What was opened under a key since the reader came to the page: Streamlit forgets a widget that is left."""
    opened: set[str] = st.session_state.setdefault(f"{key}.opened", set())
    if key not in st.session_state:
        opened.clear()
    return opened


def _said(key: str) -> Mapping[str, Any]:
    """What the browser last said of a row; one that was open while the server was renewed may say it otherwise."""
    said = (st.session_state.get(key) or {}).get("open")
    return said if isinstance(said, Mapping) else {}


def _remember(key: str, name: str, first: str) -> None:
    slug = str(_said(key).get("slug", ""))
    select({name: "" if slug == first else slug})


def _panel(key: str, slug: str) -> str:
    """The key of what a tab holds, which is a class in the browser."""
    return re.sub(r"[^\w-]", "-", f"{key}-{slug}")


def _slug(label: str) -> str:
    """`expected-fusions` for `Expected fusions (3 missing)`: a count in a label must not break its link."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)", "", label.lower())).strip("-")
