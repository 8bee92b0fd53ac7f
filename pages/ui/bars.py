"""Counts as horizontal bars in plain HTML: for what needs no plot."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.theme import NEUTRAL


def show_bars(title: str, counts: Sequence[tuple[str, int]]) -> None:
    """A table of (name, count), each with a bar in proportion to the highest count; names may be foreign text."""
    most = max((count for _, count in counts), default=1)
    rows = "".join(_row(name, count, most) for name, count in counts)
    st.html(f'<table class="count-bars"><caption>{text.markup(title)}</caption><tbody>{rows}</tbody></table>')


def _row(name: str, count: int, most: int) -> str:
    width = f"{100 * count / most:.1f}%"
    bar = f'<div style="width:{width};background:{NEUTRAL}"></div>'
    return (
        f'<tr><th scope="row" title="{text.markup(name)}">{text.markup(name, 28)}</th>'
        f"<td>{bar}</td><td>{text.count(count)}</td></tr>"
    )
