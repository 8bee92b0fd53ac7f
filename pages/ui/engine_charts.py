"""Figures of the engine explorer: layers by time, treemap, waterfall, roofline, transitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pages.ui import text
from pages.ui.theme import (
    ALARM,
    CELL_INK,
    CELL_SCALE,
    HAIRLINE,
    NEUTRAL,
    PRECISION_LABELS,
    PRECISION_LETTERS,
    STEEL,
    plot_layout,
    precision_colour,
    precision_label,
)
from trt_core.analysis.engine_compare import EngineComparison
from trt_core.analysis.engine_layers import LayerRow, Role, Transition
from trt_core.analysis.roofline import Bound, RoofPoint
from trt_core.domain.device_rates import DeviceRates
from trt_core.domain.precision import Precision

_MOST_BOXES = 300
_FASTER, _SLOWER = STEEL, ALARM
_MOVES = (Role.REFORMAT, Role.QDQ)
_SYMBOLS = {Bound.MEMORY: "circle", Bound.COMPUTE: "square", Bound.LAUNCH: "triangle-down", Bound.UNKNOWN: "x"}


def time_bars(rows: Sequence[LayerRow]) -> Any:
    """Layers in execution order, height by time or, without times, by bytes; reformats and Q/DQ are hatched."""
    import plotly.graph_objects as go

    timed = any(row.time_ms is not None for row in rows)
    figure = go.Figure()
    place = {row.position: number for number, row in enumerate(rows, start=1)}
    for precision in Precision:
        chosen = [row for row in rows if row.precision is precision]
        if not chosen:
            continue
        figure.add_bar(
            x=[place[row.position] for row in chosen],
            y=[(row.time_ms or 0.0) * 1000 if timed else row.moved_bytes / 2**20 for row in chosen],
            width=0.94,
            name=precision_label(precision),
            marker={
                "color": precision_colour(precision),
                "pattern": {"shape": ["/" if row.role in _MOVES else "" for row in chosen], "size": 5},
            },
            hovertext=[hover(row) for row in chosen],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=340, barmode="overlay", bargap=0.06))
    figure.update_xaxes(title="engine layer, in execution order; hatched: reformats and Q/DQ", showgrid=False)
    figure.update_yaxes(title="µs in a profiled run" if timed else "MiB read and written")
    return figure


def hover(row: LayerRow) -> str:
    """What a layer says when pointed at."""
    size = text.mebibytes(row.moved_bytes) if row.moved_bytes else "size not known"
    took = text.milliseconds(row.time_ms) if row.time_ms is not None else "not timed"
    share = f" ({text.percent(row.share)})" if row.share is not None else ""
    lines = [
        f"<b>{text.chart(row.name, 70)}</b>",
        f"{took}{share} · {PRECISION_LABELS[row.precision]} · {text.chart(row.kind)} · {row.role.value}",
        f"{size} moved" + (f", {text.big(row.macs)} multiply-accumulates" if row.macs else ""),
        text.chart(row.kernel, 80),
    ]
    return "<br>".join(line for line in lines if line)


class _Box(NamedTuple):
    id: str
    label: str
    parent: str
    us: float
    colour: str
    hover: str


def _boxes(rows: Sequence[LayerRow]) -> list[_Box]:
    timed = sorted((row for row in rows if row.time_ms), key=lambda row: -(row.time_ms or 0.0))
    shown, rest = timed[:_MOST_BOXES], timed[_MOST_BOXES:]
    boxes = []
    for role in dict.fromkeys(row.role for row in timed):
        of_role = [row for row in timed if row.role is role]
        counted = text.counted(len(of_role), "layer")
        boxes.append(_Box(role.name, role.value, "", _us(of_role), "rgba(128,140,150,0.25)", counted))
        small = [row for row in rest if row.role is role]
        if small:
            boxes.append(_Box(f"{role.name}.rest", f"{len(small)} smaller ones", role.name, _us(small), NEUTRAL, ""))
    for row in shown:
        label = f"{PRECISION_LETTERS[row.precision]} {text.chart(row.name, 40)}"
        colour = precision_colour(row.precision)
        boxes.append(_Box(f"l{row.position}", label, row.role.name, _us([row]), colour, hover(row)))
    return boxes


def _us(rows: Sequence[LayerRow]) -> float:
    return sum(row.time_ms or 0.0 for row in rows) * 1000


def treemap(rows: Sequence[LayerRow]) -> Any:
    """Time by role and layer; beyond a number of boxes the small ones of a role are one."""
    import plotly.graph_objects as go

    boxes = _boxes(rows)
    figure = go.Figure(
        go.Treemap(
            ids=[box.id for box in boxes],
            labels=[box.label for box in boxes],
            parents=[box.parent for box in boxes],
            values=[box.us for box in boxes],
            branchvalues="total",
            marker={"colors": [box.colour for box in boxes]},
            hovertext=[box.hover for box in boxes],
            hovertemplate="%{hovertext}<br>%{value:.3g} µs<extra></extra>",
            tiling={"pad": 1},
        )
    )
    figure.update_layout(**plot_layout(height=420, margin={"l": 4, "r": 4, "t": 8, "b": 4}))
    return figure


def waterfall(comparison: EngineComparison) -> Any:
    """From the first engine's layer time to the second's, cause by cause."""
    import plotly.graph_objects as go

    steps = [step for step in comparison.steps if abs(step.delta_ms) >= 1e-6]
    names = [text.chart(comparison.first.title, 30), *(step.cause.value for step in steps)]
    labels = [_wrapped(name) for name in [*names, text.chart(comparison.second.title, 30)]]
    figure = go.Figure(
        go.Waterfall(
            x=labels,
            y=[comparison.first.layers_ms * 1000, *(step.delta_ms * 1000 for step in steps), 0],
            measure=["absolute", *("relative" for _ in steps), "total"],
            text=[
                f"{comparison.first.layers_ms * 1000:.0f}",
                *(f"{step.delta_ms * 1000:+.1f}" for step in steps),
                f"{comparison.second.layers_ms * 1000:.0f}",
            ],
            textposition="outside",
            cliponaxis=False,
            customdata=[0, *(step.groups for step in steps), 0],
            hovertemplate="%{x}<br>%{text} µs, %{customdata} groups<extra></extra>",
            increasing={"marker": {"color": _SLOWER}},
            decreasing={"marker": {"color": _FASTER}},
            totals={"marker": {"color": NEUTRAL}},
            connector={"line": {"width": 1, "color": HAIRLINE}},
        )
    )
    figure.update_layout(**plot_layout(height=430, showlegend=False))
    figure.update_xaxes(tickangle=0, tickfont={"size": 10})
    lowest, highest = _levels(comparison.first.layers_ms, [step.delta_ms for step in steps])
    begin = max(0.0, lowest - 2.0 * (highest - lowest)) * 1000
    cut = "; the axis does not begin at 0" if begin else ""
    figure.update_yaxes(
        title=f"µs, sum over layers{cut}", range=[begin, (highest + 0.15 * (highest - begin / 1000)) * 1000]
    )
    return figure


def _levels(start: float, deltas: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest level that a waterfall passes."""
    levels = [start]
    for delta in deltas:
        levels.append(levels[-1] + delta)
    return min(levels), max(levels)


def _wrapped(label: str) -> str:
    words, lines = label.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 11:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def roofline_figure(points: Sequence[RoofPoint], peak: DeviceRates) -> Any:
    """Operations a second over operations a byte, with the roofs of the device; the mark tells what bounds a layer."""
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = [point for point in points if point.intensity is not None and point.ops_per_s is not None]
    for precision in dict.fromkeys(point.precision for point in shown):
        rate = peak.ops_per_s(precision)
        if rate:
            xs = [0.1, rate / peak.bytes_per_s, 1e5]
            figure.add_scatter(
                x=xs,
                y=[min(rate, x * peak.bytes_per_s) / 1e12 for x in xs],
                mode="lines",
                line={"color": precision_colour(precision), "width": 1.2},
                name=f"roof {PRECISION_LABELS[precision]}",
                hoverinfo="skip",
            )
        mine = [point for point in shown if point.precision is precision]
        figure.add_scatter(
            x=[point.intensity for point in mine],
            y=[(point.ops_per_s or 0.0) / 1e12 for point in mine],
            mode="markers",
            marker={
                "color": precision_colour(precision),
                "symbol": [_SYMBOLS[point.bound] for point in mine],
                "size": 9,
            },
            name=precision_label(precision),
            hovertext=[
                f"<b>{text.chart(point.name, 70)}</b><br>{text.milliseconds(point.time_ms)}, "
                f"{text.percent(point.attained or 0.0)} of the roof, bound by {point.bound.value}"
                for point in mine
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    figure.update_layout(**plot_layout(height=430))
    figure.update_xaxes(title="operations a byte", type="log")
    figure.update_yaxes(title="tera-operations a second", type="log")
    return figure


def transition_figure(transitions: Sequence[Transition]) -> Any:
    """Tensors by the precision that writes them and the one that reads them."""
    import plotly.graph_objects as go

    known = [item for item in Precision if any(item in (t.writes, t.reads) for t in transitions)]
    counts = {(item.writes, item.reads): item for item in transitions}
    cells = [[counts.get((row, column)) for column in known] for row in known]
    labels = [precision_label(item) for item in known]
    figure = go.Figure(
        go.Heatmap(
            x=labels,
            y=labels,
            z=[[cell.tensors if cell else None for cell in row] for row in cells],
            text=[
                [f"{cell.tensors}<br>{text.mebibytes(cell.moved_bytes)}" if cell else "" for cell in row]
                for row in cells
            ],
            texttemplate="%{text}",
            textfont={"color": CELL_INK},
            colorscale=CELL_SCALE,
            showscale=False,
            hovertemplate="%{y} writes, %{x} reads: %{z} tensors<extra></extra>",
        )
    )
    figure.update_layout(**plot_layout(height=120 + 62 * len(known)))
    figure.update_xaxes(title="read in", side="top")
    figure.update_yaxes(title="written in", autorange="reversed")
    return figure
