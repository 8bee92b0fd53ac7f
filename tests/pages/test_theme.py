"""Marks and words are seen on the light theme and on the dark one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pages.ui.theme import ALARM, CELL_INK, CELL_SCALE, NEUTRAL, STEEL

CONFIG = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", [STEEL, ALARM, NEUTRAL])
def test_a_mark_stands_out_from_the_page(colour, theme):
    assert contrast(colour, CONFIG["theme"][theme]["backgroundColor"]) >= 3


@pytest.mark.parametrize("colour", [colour for _, colour in CELL_SCALE])
def test_the_words_in_a_cell_are_read_at_both_ends_of_its_scale(colour):
    assert contrast(CELL_INK, colour) >= 4.5


def test_text_is_read_in_both_themes():
    for theme in ("light", "dark"):
        colours = CONFIG["theme"][theme]
        assert contrast(colours["textColor"], colours["backgroundColor"]) >= 7
        assert contrast(colours["linkColor"], colours["backgroundColor"]) >= 4.5
