"""Optimization profiles as bars in plain HTML: the form draws them anew with every change, and needs no plot for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui import text
from pages.ui.theme import NEUTRAL
from trt_core.domain.profile_axes import Sizes

# No foreign text here. The places leave room for the numbers below the first and the last end.
STYLE = """
.profile-bars { width: 100%; font-size: 0.8rem; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.profile-bars :is(th, td) { border: 0; padding: 0.3rem 0.6rem 0.3rem 0; font-weight: 400; text-align: left; }
.profile-bars th { unicode-bidi: isolate; white-space: nowrap; }
.profile-bars td { width: 100%; }
.profile-bars div { position: relative; height: 3.2rem; margin: 0 1.6rem; }
.profile-bars :is(b, i, span) { position: absolute; transform: translateX(-50%); font-style: normal; }
.profile-bars u { position: absolute; top: 1.45rem; height: 0.45rem; border-radius: 2px; min-width: 2px; }
.profile-bars b { top: 0.88rem; color: light-dark(#2f6f4f, #6fbf8f); font-size: 1rem; }
.profile-bars i { top: -0.2rem; white-space: nowrap; }
.profile-bars span { top: 2.05rem; white-space: nowrap; }
"""


def show_profiles(profiles: Sequence[Mapping[str, Sizes]]) -> None:
    """A bar a profile and open size from min to max, its opt a diamond, on one logarithmic scale; names are foreign."""
    largest = max(high for sizes in profiles for _, _, high in sizes.values())
    rows = "".join(
        _row(number, name, sizes[name], largest) for number, sizes in enumerate(profiles, start=1) for name in sizes
    )
    st.html(f'<table class="profile-bars"><tbody>{rows}</tbody></table>')


def _row(number: int, name: str, sizes: Sizes, largest: int) -> str:
    low, opt, high = sizes
    begin, best, end = (_place(size, largest) for size in sizes)
    ends = {begin: f"min {low}", end: f"max {high}"} if low < high else {begin: str(low)}
    marks = "".join(f'<span style="left:{at:.1f}%">{word}</span>' for at, word in ends.items())
    return (
        f'<tr title="profile {number}, {text.markup(name)}: min {low}, opt {opt}, max {high}">'
        f'<th scope="row">{number} · {text.markup(name, 24)}</th><td><div>'
        f'<u style="left:{begin:.1f}%;width:{end - begin:.1f}%;background:{NEUTRAL}"></u>'
        f'<b style="left:{best:.1f}%">◆</b><i style="left:{best:.1f}%">opt {opt}</i>{marks}</div></td></tr>'
    )


def _place(size: int, largest: int) -> float:
    """Where a size lies from 1 to the largest, in percent of the logarithmic scale."""
    return 100 * math.log(max(size, 1)) / math.log(largest) if largest > 1 else 0.0
