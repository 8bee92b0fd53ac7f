"""Figures of the engine explorer: memory over the execution order, and every tactic that was timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.theme import ALARM, NEUTRAL, STEEL, STEEL_LIGHT, STEEL_PALE, plot_layout
from trt_core.analysis.engine_memory import MemoryAt, MemoryMap
from trt_core.analysis.tactics import LayerTuning


def memory_figure(memory: MemoryMap, said_bytes: int | None) -> Any:
    """Every activation as a rectangle: when it lives, and where a greedy placement puts it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    largest = sorted(memory.lifetimes, key=lambda item: -item.size_bytes)[:1_000]
    figure.add_bar(
        x=[(item.first + item.last) / 2 + 1 for item in largest],
        width=[item.last - item.first + 0.9 for item in largest],
        y=[item.size_bytes / 2**20 for item in largest],
        base=[item.offset / 2**20 for item in largest],
        marker={"color": STEEL_LIGHT, "line": {"width": 0.6, "color": "white"}},
        hovertext=[
            f"<b>{text.chart(item.name, 70)}</b><br>{text.mebibytes(item.size_bytes)} {text.chart(item.dtype)}, "
            f"layers {item.first + 1} to {item.last + 1}"
            for item in largest
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="activation",
    )
    figure.add_scatter(
        x=list(range(1, len(memory.live_bytes) + 1)),
        y=[size / 2**20 for size in memory.live_bytes],
        mode="lines",
        line={"shape": "hvh", "color": ALARM, "width": 1.6},
        name="alive",
        hovertemplate="layer %{x}: %{y:.2f} MiB alive<extra></extra>",
    )
    if said_bytes is not None:
        figure.add_hline(
            y=said_bytes / 2**20, line={"dash": "dash", "color": NEUTRAL}, annotation_text="the builder's figure"
        )
    figure.update_layout(**plot_layout(height=400, barmode="overlay"))
    figure.update_xaxes(title="engine layer, in execution order")
    figure.update_yaxes(title="MiB", rangemode="tozero")
    return figure


def shapes_figure(found: Sequence[MemoryAt], said_bytes: int | None) -> Any:
    """Weights, activations and workspace at several batches, one bar each; the builder's figure as a line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    batches = [str(item.batch) for item in found]
    parts = {
        "weights": ([item.weight_bytes for item in found], ""),
        "activations alive": ([item.activation_bytes for item in found], "/"),
        "workspace": ([item.workspace_bytes or 0 for item in found], "x"),
    }
    for (name, (sizes, pattern)), colour in zip(parts.items(), (STEEL, STEEL_LIGHT, STEEL_PALE), strict=True):
        figure.add_bar(
            x=batches,
            y=[size / 2**20 for size in sizes],
            name=name,
            marker={"color": colour, "pattern": {"shape": pattern, "size": 5, "fillmode": "overlay"}},
            hovertemplate=f"batch %{{x}}: {name} %{{y:.2f}} MiB<extra></extra>",
        )
    if said_bytes is not None and found:
        figure.add_hline(
            y=(said_bytes + found[0].weight_bytes) / 2**20,
            line={"dash": "dash", "color": NEUTRAL},
            annotation_text="weights and what the builder reserves",
        )
    figure.update_layout(**plot_layout(height=320, barmode="stack"))
    figure.update_xaxes(title="batch", type="category")
    figure.update_yaxes(title="MiB", rangemode="tozero")
    return figure


def tactic_figure(tunings: Sequence[LayerTuning]) -> Any:
    """Every timed tactic of every layer over the time of the chosen one; the chosen one and its second stand out."""
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = [item for item in tunings if item.chosen is not None and item.chosen.time_ms > 0][:400]
    groups: dict[str, list[tuple[int, float, str]]] = {"other formats": [], "same formats": [], "chosen": []}
    for number, item in enumerate(shown, start=1):
        base = item.chosen.time_ms if item.chosen else 1.0
        for candidate in item.candidates:
            same = item.chosen is not None and candidate.formats == item.chosen.formats
            group = "chosen" if candidate.chosen else "same formats" if same else "other formats"
            words = (
                f"<b>{text.chart(item.layer, 70)}</b><br>{text.chart(candidate.kernel or candidate.tactic, 90)}<br>"
                f"{text.milliseconds(candidate.time_ms)} · {text.chart(candidate.formats, 90)}"
            )
            groups[group].append((number, candidate.time_ms / base, words))
    looks = {
        "other formats": {"color": STEEL_PALE, "symbol": "circle-open", "size": 6},
        "same formats": {"color": STEEL, "symbol": "circle", "size": 6},
        "chosen": {"color": "#C2185B", "symbol": "diamond", "size": 9},
    }
    for name, marks in groups.items():
        figure.add_scattergl(
            x=[mark[0] for mark in marks],
            y=[mark[1] for mark in marks],
            mode="markers",
            marker=looks[name],
            name=name,
            hovertext=[mark[2] for mark in marks],
            hovertemplate="%{hovertext}<br>%{y:.2f}× the chosen one<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=420))
    figure.update_xaxes(title="tuned layer, in execution order")
    figure.update_yaxes(title="time over the chosen tactic's", type="log")
    return figure
