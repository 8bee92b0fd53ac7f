"""Charts: a Plotly figure that the browser draws once, when the page has a moment for it.

Streamlit's own element copies a figure and draws it a second time when it is put on the page, before it goes on with
what stands below. Here words come first, and a figure that did not change is not looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.plotly_route import script_path

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEXT = "_enginescope_text"
_HEIGHT = 450  # Plotly's own, for a figure that names none


@cache
def _component() -> Any:
    script = Path(__file__).with_name("chart.js").read_text(encoding="utf-8")
    return st.components.v2.component(
        "enginescope.chart", js=script, html='<div class="chart"></div>', isolate_styles=False
    )


def draw_chart(
    figure: Figure, *, key: str, filename: str, on_pick: Callable[[Sequence[Any]], object] | None = None
) -> None:
    """Draw a figure as wide as its place; its PNG is saved under `filename`, which names what it shows.

    `on_pick` hears the `customdata` of each mark that is clicked, as a list, before the page is run again. Zoom and
    hidden traces stay while `filename` does.
    """
    words = {
        "filename": filename,
        "height": figure.layout.height or _HEIGHT,
        "picks": on_pick is not None,
        "script": script_path(),
        "config": plot_config(filename),
    }
    _component()(
        key=key,
        data=packed(words, figure_text(figure)),
        default={"picked": {}},
        height="content",
        on_picked_change=partial(_heard, key, filename, on_pick),
    )


def _heard(key: str, filename: str, on_pick: Callable[[Sequence[Any]], object] | None) -> None:
    picked = (st.session_state.get(key) or {}).get("picked") or {}
    # A click on the chart of another result, which stood here before, means nothing in this one.
    if on_pick is not None and picked.get("filename") == filename and picked.get("mark"):
        on_pick(picked["mark"])


def figure_text(figure: Figure) -> bytes:
    """A figure as the browser reads it: JSON in UTF-8; made once where the figure itself is (`figure_once`)."""
    if TEXT in figure.__dict__:
        return bytes(figure.__dict__[TEXT])
    from plotly.utils import PlotlyJSONEncoder

    plain = json.dumps(figure.to_plotly_json(), cls=PlotlyJSONEncoder, ensure_ascii=False, separators=(",", ":"))
    return plain.encode(errors="replace")  # a name out of a file may hold half a character


def packed(words: dict[str, Any], figure: bytes) -> bytes:
    """What a chart is told: a digest of the rest in 64 characters, the words in one line of JSON, the figure.

    Bytes, because a text would be quoted here and read twice there, in every run; the digest tells what is new.
    """
    told = json.dumps(words).encode() + b"\n" + figure
    return sha256(told).hexdigest().encode() + told


def plot_config(filename: str) -> dict[str, Any]:
    """Plotly's settings for every chart: its PNG button on, everything that would call outside off."""
    return {
        "displaylogo": False,
        "toImageButtonOptions": {"format": "png", "filename": filename, "scale": 2},
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "showTips": False,
    }
