"""Figures of the triage page: metric against low-precision work, and the plan as a strip of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.once import figure_once, once
from pages.ui.stamp import stamp
from pages.ui.theme import NEUTRAL, PRECISION_LETTERS, plot_layout, precision_colour, precision_label, room
from trt_core.domain.precision import Precision
from trt_core.domain.triage import Evaluation, TriageRun
from trt_core.domain.validation import FLOOR_METRICS, Verdict
from trt_core.services.plan_latency import PlanLatency

_SYMBOLS = {Verdict.NOT_WORSE: "circle", Verdict.WORSE: "x", Verdict.TOO_FEW: "diamond-open"}
_CHOSEN = "#C2185B"
_LETTERED = 80  # cells of a strip that have room for a letter


@once(16)
def curve_figure(run: TriageRun, latencies: Sequence[PlanLatency] = ()) -> Any:
    """Every evaluated plan as a point, the tolerance as a line, the chosen plan marked, latencies where measured."""
    import plotly.graph_objects as go

    figure = go.Figure()
    ordered = sorted(run.evaluations, key=lambda one: (one.low_share, one.metric))
    best = list({round(one.low_share, 6): one for one in ordered}.values())  # of equal shares the best metric
    figure.add_scatter(
        x=[one.low_share * 100 for one in best],
        y=[one.metric for one in best],
        mode="lines",
        line={"color": "rgba(128,128,128,0.35)", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    for verdict, symbol in _SYMBOLS.items():
        _points(figure, run, [one for one in ordered if one.judgement.verdict is verdict], verdict.value, symbol)
    _chosen(figure, run)
    _limit(figure, run)
    _latencies(figure, run, latencies)
    name = run.plan.recipe.precision.value.upper()
    figure.update_xaxes(title=f"MACs in {name}, % of those that can be", range=[-4, 104], zeroline=False)
    figure.update_yaxes(title=f"{run.metric}: higher is better", zeroline=False)
    figure.update_layout(**plot_layout(height=430, hovermode="closest", margin=room()))
    said = [run.method, f"Data: {run.data}. Bars: one-sided 95 % bounds on the loss, {_units(run)}."]
    if latencies:
        how = latencies[0].conditions
        said.append(
            f"ms: p50 of the plan's engine, {how.backend} {how.backend_version} on {how.device}, batch {how.batch}, "
            f"the rest in {latencies[0].rest.value.upper()}."
        )
    return stamp(figure, said)


def _chosen(figure: Any, run: TriageRun) -> None:
    after = run.after
    figure.add_scatter(
        x=[after.low_share * 100],
        y=[after.metric],
        mode="markers",
        marker={"symbol": "circle-open", "size": 22, "color": _CHOSEN, "line": {"width": 2.5}},
        hoverinfo="skip",
        name="chosen plan",
    )


def _latencies(figure: Any, run: TriageRun, latencies: Sequence[PlanLatency]) -> None:
    if latencies:
        ones = [run.evaluations[item.place] for item in latencies]
        figure.add_scatter(
            x=[one.low_share * 100 for one in ones],
            y=[one.metric for one in ones],
            mode="text",
            text=[f"{text.milliseconds(item.p50_ms)}<br> " for item in latencies],  # a line free for the mark
            textposition="top center",
            hoverinfo="skip",
            showlegend=False,
        )


def _points(figure: Any, run: TriageRun, ones: list[Evaluation], name: str, symbol: str) -> None:
    if not ones:
        return
    bars: dict[str, Any] = {}
    if run.metric not in FLOOR_METRICS:
        ends = [_ends(one) for one in ones]
        bars = {
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [high - one.metric for one, (_, high) in zip(ones, ends, strict=True)],
                "arrayminus": [one.metric - low for one, (low, _) in zip(ones, ends, strict=True)],
                "color": "rgba(128,128,128,0.6)",
                "thickness": 1,
            }
        }
    figure.add_scatter(
        x=[one.low_share * 100 for one in ones],
        y=[one.metric for one in ones],
        mode="markers",
        marker={"symbol": symbol, "size": 10, "color": precision_colour(run.plan.recipe.precision)},
        name=name,
        customdata=[run.evaluations.index(one) for one in ones],
        hovertext=[_hover(one) for one in ones],
        hovertemplate="%{hovertext}<extra></extra>",
        **bars,
    )


def _ends(one: Evaluation) -> tuple[float, float]:
    found = one.judgement
    if found.baseline is None or found.low is None or found.high is None:
        return one.metric, one.metric
    return found.baseline * (1 - found.high), found.baseline * (1 - found.low)


def _hover(one: Evaluation) -> str:
    kept = [text.chart(node, 60) for node in one.kept[:8]]
    more = [f"and {len(one.kept) - 8} more"] if len(one.kept) > 8 else []
    lines = [
        f"{one.metric:.4f}, {one.step}",
        f"{text.percent(one.low_share)} of the MACs that can be lowered, {text.percent(one.low_share_of_all)} of all",
        "kept:",
        *kept,
        *more,
    ]
    return "<br>".join(lines if one.kept else [*lines[:2], "nothing kept"])


def _units(run: TriageRun) -> str:
    measured = run.after.measured
    groups = measured.groups if measured.by_groups or measured.sums is not None else None
    return f"of {groups:,} groups" if groups else "samples taken for independent"


def _limit(figure: Any, run: TriageRun) -> None:
    baseline = run.after.judgement.baseline
    if run.metric in FLOOR_METRICS:
        figure.add_hline(y=run.tolerance, line={"dash": "dash", "color": _CHOSEN}, annotation_text="floor")
        return
    if baseline is not None:
        # Plans crowd at both ends: all high at the left, nearly all low at the right.
        figure.add_hline(
            y=baseline,
            line={"color": NEUTRAL, "width": 1},
            annotation_text="baseline FP32",
            annotation_position="top",
        )
        figure.add_hline(
            y=baseline * (1 - run.tolerance),
            line={"dash": "dash", "color": _CHOSEN, "width": 1.5},
            annotation_text=f"tolerance {text.percent(run.tolerance)}",
            annotation_position="bottom",
        )


@figure_once(16)
def strip_figure(run: TriageRun) -> Any:
    """The plan in the order of the file: one cell a node, its colour and letter the precision it gets."""
    import plotly.graph_objects as go

    figure = go.Figure()
    kinds = list(dict.fromkeys(entry.precision for entry in run.plan.entries))
    (_lettered if len(run.plan.entries) <= _LETTERED else _band)(figure, run, kinds)
    figure.update_layout(
        **plot_layout(height=140, bargap=0, barmode="overlay", margin=room(ticks=12, legend=32) | {"b": 52})
    )
    figure.update_yaxes(visible=False, fixedrange=True)
    figure.update_xaxes(title="nodes that can be lowered, in the order of the file", showgrid=False, fixedrange=True)
    return figure


def _lettered(figure: Any, run: TriageRun, kinds: Sequence[Precision]) -> None:
    said = _cells(run)
    for precision in kinds:
        places = [place for place, entry in enumerate(run.plan.entries) if entry.precision is precision]
        figure.add_bar(
            x=places,
            y=[1] * len(places),
            width=0.92,
            marker={"color": precision_colour(precision), "line": {"width": 0}},
            name=precision_label(precision),
            text=[PRECISION_LETTERS[precision]] * len(places),
            textposition="inside",
            textangle=0,
            hovertext=[said[place] for place in places],
            hovertemplate="%{hovertext}",
        )


def _band(figure: Any, run: TriageRun, kinds: Sequence[Precision]) -> None:
    """Too many cells for letters are one picture; as bars, each would be an element that the browser lays out."""
    steps = len(kinds)
    scale = [((number + end) / steps, precision_colour(kinds[number])) for number in range(steps) for end in (0, 1)]
    figure.add_heatmap(
        z=[[kinds.index(entry.precision) for entry in run.plan.entries]],
        zmin=-0.5,
        zmax=steps - 0.5,
        colorscale=scale,
        showscale=False,
        text=[_cells(run)],
        customdata=[[precision_label(entry.precision) for entry in run.plan.entries]],
        hovertemplate="%{text}<extra>%{customdata}</extra>",
    )
    if steps > 1:  # the legend, which the cells of a picture do not have
        for precision in kinds:
            marker = {"color": precision_colour(precision), "symbol": "square", "size": 11}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=precision_label(precision))


def _cells(run: TriageRun) -> list[str]:
    """What is said of each cell when the pointer is over it."""
    isolated = {item.unit.node: item.isolated_db for item in run.sensitivities}
    return [
        f"{text.chart(entry.node, 80)}<br>isolated {text.decibels(isolated.get(entry.node))}"
        for entry in run.plan.entries
    ]
