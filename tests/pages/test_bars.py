"""Bars in plain HTML."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _bars() -> None:
    from pages.ui.bars import show_bars

    show_bars("Nodes by <op>", [("MatMul", 1200), ("<img src=x onerror=alert(1)>", 300)])


def test_a_bar_is_in_proportion_to_the_highest_count_and_says_its_own():
    drawn = AppTest.from_function(_bars).run().get("html")[0].proto.body

    assert "width:100.0%" in drawn
    assert "width:25.0%" in drawn
    assert "<td>1,200</td>" in drawn


def test_names_stay_text():
    drawn = AppTest.from_function(_bars).run().get("html")[0].proto.body

    assert "<img" not in drawn
    assert "&lt;img src=x onerror=alert(1)&gt;" in drawn
    assert "Nodes by &lt;op&gt;" in drawn
