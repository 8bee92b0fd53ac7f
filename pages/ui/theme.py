"""Colours and their letter codes: one meaning each, on every page, in light and dark."""

from __future__ import annotations

from functools import cache
from typing import Any

from trt_core.domain.findings import Severity
from trt_core.domain.precision import Precision

# Colour-blind-safe (Okabe and Ito's palette); a letter doubles each, because colour alone is no information.
PRECISION_COLOURS: dict[Precision, str] = {
    Precision.FP32: "#009E73",
    Precision.TF32: "#66C2A5",
    Precision.FP16: "#0072B2",
    Precision.BF16: "#56B4E9",
    Precision.INT8: "#E69F00",
    Precision.FP8: "#D55E00",
    Precision.INT4: "#CC79A7",
    Precision.UNKNOWN: "#999999",
}
PRECISION_LETTERS: dict[Precision, str] = {
    Precision.FP32: "F",
    Precision.TF32: "T",
    Precision.FP16: "H",
    Precision.BF16: "B",
    Precision.INT8: "I",
    Precision.FP8: "E",
    Precision.INT4: "W",
    Precision.UNKNOWN: "?",
}
# Where a box is too small for a name and too lonely for a letter.
PRECISION_CODES: dict[Precision, str] = {
    Precision.FP32: "F32",
    Precision.TF32: "T32",
    Precision.FP16: "F16",
    Precision.BF16: "B16",
    Precision.INT8: "I8",
    Precision.FP8: "F8",
    Precision.INT4: "I4",
    Precision.UNKNOWN: "?",
}
PRECISION_LABELS: dict[Precision, str] = {
    precision: "not known" if precision is Precision.UNKNOWN else precision.value.upper() for precision in Precision
}

# A scale of its own, from Streamlit's badge colours, so that it follows the theme.
SEVERITY_BADGES: dict[Severity, str] = {Severity.BLOCKER: "red", Severity.WARNING: "yellow", Severity.NOTE: "gray"}
SEVERITY_LABELS: dict[Severity, str] = {
    Severity.BLOCKER: "■ Blocker",
    Severity.WARNING: "▲ Warning",
    Severity.NOTE: "● Note",
}

# Neither precision nor severity; every one of them is seen on a white page and on a dark one.
STEEL, STEEL_LIGHT, STEEL_PALE = "#4F7396", "#8FA3B5", "#BFCAD3"
ALARM = "#D0364F"
# Cells that hold words: pale enough that one dark ink is read on all of them.
CELL_SCALE = ((0.0, "#EEF5FB"), (1.0, "#7FB0DC"))
CELL_INK = "#1C2321"

# How far an answer about a node is proved: light to dark, refusal apart.
PROOF_COLOURS: dict[str, str] = {
    "refused": ALARM,
    "no verdict": "#D9D4C7",
    "parser accepts": STEEL_PALE,
    "subgraph accepted": STEEL_LIGHT,
    "build proves": STEEL,
}
NEUTRAL = "#6B7B83"
HAIRLINE = "rgba(128,128,128,0.5)"  # what joins marks and is none itself


def precision_of(text: str) -> Precision:
    """The precision of that name (`fp16`, `INT8`); UNKNOWN for any other text."""
    try:
        return Precision(text.lower())
    except ValueError:
        return Precision.UNKNOWN


def precision_colour(precision: Precision | str) -> str:
    """The colour of a precision, by value or name."""
    return PRECISION_COLOURS[precision if isinstance(precision, Precision) else precision_of(precision)]


def precision_label(precision: Precision | str) -> str:
    """`INT8 (I)`: the name with the letter that doubles its colour."""
    known = precision if isinstance(precision, Precision) else precision_of(precision)
    return f"{PRECISION_LABELS[known]} ({PRECISION_LETTERS[known]})"


_TEMPLATE = "enginescope"


@cache
def _template() -> str:
    """The name of a template in place of Streamlit's own, whose colours only Streamlit's own charts understand.

    Every trace of ours has its colours; `chart.js` gives axes and text those of the page.
    """
    import plotly.io as pio

    pio.templates[_TEMPLATE] = {"data": {"scatter": [{"marker": {"line": {"width": 0}}}]}}
    return _TEMPLATE


def plot_layout(*, height: int, **changes: Any) -> dict[str, Any]:
    """The layout that every chart starts from; colours of axes and text come from the page (`chart.js`).

    One with axes takes `margin=room()`: what does not fit, Plotly makes room for, but by drawing the whole chart again.
    """
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "template": _template(),
    }
    return layout | changes


def room(*, ticks: int = 74, legend: int = 46, right: int = 8) -> dict[str, int]:
    """Margins that hold the labels and titles of both axes, and a legend of one line above; in pixels."""
    return {"l": ticks, "r": right, "t": legend, "b": 68}
