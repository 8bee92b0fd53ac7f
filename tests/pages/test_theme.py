"""Marks and words are seen on the light theme and on the dark one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import plotly.graph_objects as go
import pytest

from pages.ui.engine_charts import waterfall
from pages.ui.engine_spread_charts import latency_figure
from pages.ui.theme import ALARM, CELL_INK, CELL_SCALE, NEUTRAL, STEEL
from tests.analysis.trt86 import study
from tests.pages.colours import colourless
from trt_core.analysis.engine_compare import compare_engines
from trt_core.analysis.latency import summarize
from trt_core.domain.rebuilds import AttemptLatency

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


def test_a_waterfall_has_its_own_colours_between_its_steps_too():
    assert colourless(waterfall(compare_engines(study("r50_fp16"), study("r50_int8_calib")))) == []


def test_the_rounds_of_attempts_have_a_colour_and_are_told_apart_by_their_marks():
    rounds = tuple(summarize([turn + 0.01 * step for step in range(9)], wall_s=1.0, batch=1) for turn in (1.0, 1.2))
    figure = latency_figure([AttemptLatency(build_id=f"b-{number}", rounds=rounds) for number in range(2)])

    assert colourless(figure) == []
    assert len({trace.marker.symbol for trace in figure.data}) == 2


@pytest.mark.parametrize(
    ("trace", "missing"),
    [
        (go.Scatter(y=[1, 2]), ["line", "marker"]),
        (go.Scatter(y=[1], mode="markers", marker_color=NEUTRAL, error_y_array=[1]), ["error bars"]),
        (go.Bar(y=[1]), ["marker"]),
        (go.Waterfall(y=[1, -1, 0], measure=["absolute", "relative", "total"]), ["connector", "decreasing", "totals"]),
        (go.Heatmap(z=[[1]]), ["scale"]),
        (go.Scatter(y=[1, 2], mode="text", text=["a", "b"]), []),
    ],
)
def test_a_trace_without_a_colour_is_seen(trace, missing):
    assert [part.rpartition(": ")[2] for part in colourless(go.Figure(trace))] == missing
