"""The menu and the chips of the selection: links in plain HTML, each block one element.

Every page is made of new elements when a reader comes to it, the frame too. As Streamlit's own links the frame took
Chromium as long as a small page: each label is read as Markdown. The browser's own rules hold for these links
(another tab, copy, no script yet); a plain click stays in the session, see `pages.ui.notices`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import text
from pages.ui.links import PAGES, Page, url_of

# No foreign text here.
STYLE = """
.menu { display: flex; flex-direction: column; gap: 0.5rem; font-size: 0.875rem; padding-bottom: 1rem; }
.menu b:first-child { font-size: 1rem; }
.menu p { margin: 0.25rem 0 0; opacity: 0.8; font-size: inherit; line-height: 1.4; }
.menu a, .chips a { display: flex; align-items: center; gap: 0.5rem; padding: 0 0.5rem; border-radius: 4px;
  color: inherit !important; text-decoration: none !important; line-height: 1.75rem; white-space: nowrap; }
.menu a:hover, .chips a:hover { background: rgba(128, 140, 134, 0.14); }
.menu a[aria-current], .chips a[aria-current] { background: rgba(128, 140, 134, 0.2); font-weight: 600; }
.menu i { font: 1rem/1 "Material Symbols Rounded"; font-feature-settings: "liga"; width: 1rem; overflow: hidden; }
.chips { display: flex; flex-wrap: wrap; gap: 0.5rem; font-size: 0.875rem; min-height: 1.75rem; }
.chips code { font-size: 0.75em; font-weight: 400; margin-left: 0.25em; }
"""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """What is selected under a name, with a link to where it is shown; `value` may be foreign text."""

    name: str
    value: str
    page: str


def show_menu(current: str, query: Mapping[str, str]) -> None:
    """All pages that exist by their rooms; the one of the key `current` is marked."""
    rooms: dict[str, list[Page]] = {}
    for page in PAGES:
        if page.exists:
            rooms.setdefault(page.room or "Behind it", []).append(page)
    parts = [f"<p>{room}</p>{''.join(_link(page, current, query) for page in pages)}" for room, pages in rooms.items()]
    st.html(f'<nav class="menu" aria-label="Pages"><b>Enginescope</b>{"".join(parts)}</nav>')


def _link(page: Page, current: str, query: Mapping[str, str]) -> str:
    icon = page.icon.removeprefix(":material/").removesuffix(":")
    return (
        f"<a {_mark(page.key, current)}href={_address(page.key, query)}>"
        f'<i aria-hidden="true" translate="no">{icon}</i><span>{page.label}</span></a>'
    )


def show_chips(chips: Sequence[Chip], current: str, query: Mapping[str, str]) -> None:
    """The selection in one row; drawn even when empty, as what comes and goes would reset all that follows."""
    links = (
        f"<a {_mark(chip.page, current)}href={_address(chip.page, query)}>"
        f"<span>{chip.name} <code>{text.markup(chip.value, 32)}</code></span></a>"
        for chip in chips
    )
    st.html(f'<nav class="chips" aria-label="Selection">{"".join(links)}</nav>')


def _mark(key: str, current: str) -> str:
    return 'aria-current="page" ' if key == current else ""


def _address(key: str, query: Mapping[str, str]) -> str:
    return f'"{text.markup(url_of(key, query), 1000)}"'
