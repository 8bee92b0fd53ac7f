"""Cards: three to five numbers in a row, each with its unit and, on a mark beside its name, how it was measured.

One element of plain HTML: five of Streamlit's metrics take Chromium as long as all the rest of a small page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import text

_VALUE_LIMIT = 40
_LONG = 14  # characters from which a value is words, and not set like a number
# No foreign text here. The mark takes the keyboard's focus, so that what a mouse finds is there for everybody.
STYLE = """
.cards { display: flex; flex-wrap: wrap; gap: 1rem; margin: 0 !important; padding: 0 !important; }
.cards div { flex: 1 1 10.5rem; border: 1px solid light-dark(#d5dcd8, #36403f); border-radius: 4px; padding: 1rem;
  position: relative; }
.cards dt { font-size: 0.875rem; font-weight: 400; line-height: 1.6; }
.cards dd { font-size: 2.1rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; unicode-bidi: isolate;
  font-variant-numeric: tabular-nums; }
.cards dd.long { font-size: 1.25rem; line-height: 1.4; padding-top: 0.4rem; }
.cards dt span { display: inline-block; width: 1.05rem; line-height: 1rem; text-align: center; border-radius: 50%;
  border: 1px solid; font-size: 0.7rem; margin-left: 0.3rem; opacity: 0.75; cursor: help; }
.cards dt em { display: none; position: absolute; z-index: 9; left: 0; top: 2.6rem; width: max-content;
  max-width: max(100%, min(20rem, 80vw)); padding: 0.4rem 0.7rem; border-radius: 4px; font-style: normal;
  overflow-wrap: anywhere; color: light-dark(#fff, #14191b); background: light-dark(#1c2321, #e4e9e7); }
.cards dt span:is(:hover, :focus) + em { display: block; }
.cards div:last-child:not(:first-child) em { left: auto; right: 0; }
"""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One card: a number with its unit; `how` says how it was measured. All of it may be foreign text."""

    label: str
    value: str
    how: str = ""


def metrics(cards: Sequence[Metric] | Mapping[str, str]) -> None:
    """Three to five cards in one row."""
    items = [Metric(label=k, value=v) for k, v in cards.items()] if isinstance(cards, Mapping) else list(cards)
    st.html(f'<dl class="cards">{"".join(map(_card, items))}</dl>')


def _card(card: Metric) -> str:
    mark = ""
    if card.how:
        said = text.markup(card.how, 600)
        mark = f'<span tabindex="0" role="note" aria-label="{said}">?</span><em aria-hidden="true">{said}</em>'
    size = ' class="long"' if len(card.value) > _LONG else ""
    value = text.markup(card.value, _VALUE_LIMIT)
    return f"<div><dt>{text.markup(card.label)}{mark}</dt><dd{size}>{value}</dd></div>"
