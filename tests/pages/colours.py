"""Which traces of a figure would take a colour that is not ours: there is no theme's list of colours behind them."""

from __future__ import annotations

from typing import Any


def colourless(figure: Any) -> list[str]:
    """The parts of a figure's traces that are drawn and have no colour of their own."""
    return [
        f"{trace.type} {trace.name or number}: {part}"
        for number, trace in enumerate(figure.data)
        for part in _PARTS.get(trace.type, _nothing)(trace)
    ]


def _scatter(trace: Any) -> list[str]:
    mode = trace.mode or "lines+markers"
    line = trace.line.color is not None
    wanted = {
        "line": "lines" in mode and trace.line.width != 0 and not line,
        "marker": "markers" in mode and trace.marker.color is None and not line,  # Plotly takes the line's colour
        "area": trace.fill is not None and trace.fillcolor is None and not line,
        "error bars": trace.error_y.array is not None and trace.error_y.color is None,
    }
    return [part for part, is_missing in wanted.items() if is_missing]


def _bar(trace: Any) -> list[str]:
    return ["marker"] if trace.marker.color is None else []


def _waterfall(trace: Any) -> list[str]:
    steps = trace.x if trace.orientation == "h" else trace.y
    changes = [step for step, measure in zip(steps, trace.measure, strict=True) if measure == "relative"]
    wanted = {
        "connector": trace.connector.line.color is None,
        "increasing": any(step > 0 for step in changes) and trace.increasing.marker.color is None,
        "decreasing": any(step < 0 for step in changes) and trace.decreasing.marker.color is None,
        "totals": len(changes) < len(steps) and trace.totals.marker.color is None,
    }
    return [part for part, is_missing in wanted.items() if is_missing]


def _heatmap(trace: Any) -> list[str]:
    return ["scale"] if trace.colorscale is None else []


def _nothing(_: Any) -> list[str]:
    return []


_PARTS = {"scatter": _scatter, "scattergl": _scatter, "bar": _bar, "waterfall": _waterfall, "heatmap": _heatmap}
