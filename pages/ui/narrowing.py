"""Lists of thousands of names: a field to search in above the list, which then holds the first matches.

A browser builds every option of a list at each visit, whether it is opened or not, and nobody scrolls through 5,000.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import streamlit as st

from pages.ui import text

_FEW = 300  # names that a list holds without a search
_MOST = 100  # matches that it holds
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Offer(Generic[Name]):
    """What a list holds, and whether typing in it searches: not where it would search a part of the names only."""

    options: list[Name]
    filter_mode: Literal["fuzzy"] | None


def narrowed(labels: Mapping[Name, str], *, key: str, find: str, chosen: Collection[Name] = ()) -> Offer[Name]:
    """All names while they are few, else the first matches of a field that is drawn here, labelled `find`.

    What is `chosen` is always among them. `labels` says what each name is found by.
    """
    if len(labels) <= _FEW:
        return Offer(options=list(labels), filter_mode="fuzzy")
    wanted = st.text_input(find, key=key, placeholder=f"A part of one of {text.count(len(labels))} names")
    found = matches(labels, wanted)
    if wanted:
        more = f"; the list holds the first {_MOST}" if len(found) > _MOST else ""
        st.caption(f"{text.counted(len(found), 'match', 'matches')}{more}.")
    return Offer(options=list(dict.fromkeys([*chosen, *found[:_MOST]])), filter_mode=None)


def matches(labels: Mapping[Name, str], wanted: str) -> list[Name]:
    """The names whose label holds every word, in whatever case; the one that is called exactly so comes first."""
    parts = wanted.casefold().split()
    if not parts:
        return list(labels)
    found = [name for name, label in labels.items() if all(part in label.casefold() for part in parts)]
    return sorted(found, key=lambda name: str(name).casefold() != wanted.strip().casefold())
