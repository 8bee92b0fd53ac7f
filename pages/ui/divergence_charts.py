"""Figures of the divergence page: SQNR layer by layer with floors and brackets, and one layer's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pages.ui import text
from pages.ui.once import figure_once
from pages.ui.stamp import stamp
from pages.ui.theme import plot_layout, precision_colour, precision_label, room
from trt_core.analysis.divergence_pictures import (
    BANDS,
    FLOORS_DB,
    Bracket,
    Curve,
    Loss,
    axis_db,
)
from trt_core.domain.divergence import DivergenceRun

# A scale of its own, light to dark as errors grow: the strong colours mean precisions, red a severity.
BAND_COLOURS: dict[str, str] = dict(
    zip(BANDS, ("#EDEFF2", "#D6D2E6", "#B3A5D3", "#8462B0", "#4B1F7A", "#1A1A1A", "#C9B8A0"), strict=True)
)
_PICKED = "#C2185B"
_GREY = "rgba(128,128,128,0.55)"
_FEW = 150  # layers that still have room for marks of full size
_MOST_MARKS = 120  # of one kind in view: more would lie on each other, and each is an element; zooming in shows all
_MANY = 1000  # layers whose words in the picture are no more than name and SQNR
_NAMED_ORIGINS = 3


@figure_once(16)
def sqnr_figure(
    run: DivergenceRun,
    drawn: Sequence[Curve],
    found: Sequence[Loss],
    spans: Sequence[Bracket],
) -> Any:
    """Layers in topological order, their SQNR in each precision, floors, origins, and brackets below.

    Every mark carries its position, so that a click says which it was. The browser itself marks what was clicked: the
    figure does not depend on the choice, and so is sent once.
    """
    from plotly.subplots import make_subplots

    levels = 1 + max((item.level for item in spans), default=-1)
    heights = [1 - 0.07 * levels, 0.07 * levels] if levels else [1.0]
    figure = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.02, row_heights=heights)
    low, high = axis_db(drawn)
    for curve in drawn:
        _curve(figure, run, curve, bottom=low, top=high)
    _floors(figure)
    for loss in found:
        _origins(figure, run, loss)
    if levels:
        draw_brackets(figure, spans, levels, row=2)
    figure.update_layout(
        **plot_layout(
            height=470 + 26 * levels,
            clickmode="event+select",
            hovermode="closest",
            margin=room(legend=52, right=48),
        )
    )
    figure.update_xaxes(range=[-0.8, len(run.layers) - 0.2], showgrid=False, zeroline=False)
    figure.update_xaxes(title="compared layer, in topological order", row=len(heights), col=1)
    figure.update_yaxes(title="SQNR, dB: higher is better", range=[low, high], zeroline=False, row=1, col=1)
    return stamp(figure, [stamp_of(run)])


def stamp_of(run: DivergenceRun) -> str:
    """The method, and on which samples."""
    return f"{run.method} Data: {run.data or 'seeded noise'}."


def _curve(figure: Any, run: DivergenceRun, curve: Curve, *, bottom: float, top: float) -> None:
    colour = precision_colour(curve.precision)
    kind = "isolated" if curve.isolated else "accumulated"
    name = f"{precision_label(curve.precision)} {kind}"
    size = (5 if curve.isolated else 6) if len(run.layers) <= _FEW else 3
    # What all points share is sent once, and numbers as bytes: there may be thousands of them.
    positions = np.array(curve.positions, np.int32)
    common = {"legendgroup": name, "hovertemplate": f"<b>%{{customdata}} · %{{hovertext}}<extra>{name}</extra>"}
    figure.add_scatter(
        x=positions,
        y=np.array(curve.sqnr_db, np.float32),
        mode="lines+markers",
        name=name,
        customdata=positions,  # one number a point: a row of two would come back from a click as an object
        line={
            "color": faint(colour) if curve.isolated else colour,
            "width": 1.2 if curve.isolated else 2,
            "dash": "dot" if curve.isolated else "solid",
        },
        marker={
            "color": colour,
            "size": size,
            "symbol": "circle-open" if curve.isolated else "circle",
            "opacity": 1,
            "maxdisplayed": _MOST_MARKS,
        },
        selected={"marker": {"opacity": 1, "size": 15, "color": _PICKED}},
        unselected={"marker": {"opacity": 1}},
        connectgaps=False,
        hovertext=[_hover(run, curve, position) for position in curve.positions],
        row=1,
        col=1,
        **common,
    )
    _strips(figure, run, curve, bottom=bottom, top=top, common=common)


def _strips(
    figure: Any, run: DivergenceRun, curve: Curve, *, bottom: float, top: float, common: dict[str, Any]
) -> None:
    """What no axis can hold: equal layers on the upper edge, lost ones on the lower."""
    colour = precision_colour(curve.precision)
    for positions, symbol, height in ((curve.clean, "triangle-up-open", top), (curve.broken, "x", bottom)):
        if positions:
            figure.add_scatter(
                x=positions,
                y=[height] * len(positions),
                mode="markers",
                customdata=positions,
                showlegend=False,
                cliponaxis=False,
                marker={"color": colour, "size": 7, "symbol": symbol, "opacity": 1, "maxdisplayed": _MOST_MARKS},
                selected={"marker": {"opacity": 1, "size": 15, "color": _PICKED}},
                unselected={"marker": {"opacity": 1}},
                hovertext=[_hover(run, curve, position) for position in positions],
                row=1,
                col=1,
                **common,
            )


def faint(colour: str, opacity: float = 0.5) -> str:
    """A colour that lets through what lies below it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _hover(run: DivergenceRun, curve: Curve, position: int) -> str:
    layer = run.layers[position]
    error = layer.error(curve.precision, isolated=curve.isolated)
    if len(run.layers) > _MANY:
        return f"{text.chart(layer.name, 50)}</b><br>{sqnr(None if error is None else error.sqnr_db)}"
    said = "" if error is None else f"{sqnr(error.sqnr_db)}, largest error {text.figure(error.max_abs)}"
    return f"{text.chart(layer.name, 70)}</b><br>{text.chart(layer.op_type)}: {said}"


def sqnr(value_db: float | None) -> str:
    """An SQNR in words: `equal` for no error at all, `not finite` where values are lost."""
    if value_db is None:
        return "–"
    if value_db == float("inf"):
        return "equal"
    return text.decibels(value_db) if value_db > float("-inf") else "not finite"


def _floors(figure: Any) -> None:
    for floor in FLOORS_DB:
        figure.add_hline(y=floor, line={"color": _GREY, "width": 1, "dash": "dash"}, row=1, col=1)
        figure.add_annotation(
            x=1,
            y=floor,
            xref="paper",
            yref="y",
            text=f"{floor:g} dB",
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"size": 10},
            opacity=0.8,
        )


def _origins(figure: Any, run: DivergenceRun, loss: Loss) -> None:
    """Flags at the layers where a loss begins, the guiltiest with their names."""
    if not loss.origins:
        return
    place = {layer.index: position for position, layer in enumerate(run.layers)}
    colour = precision_colour(loss.precision)
    low, _ = axis_db([])
    figure.add_scatter(
        x=[place[item.index] for item in loss.origins],
        y=[max(item.sqnr_db, low) for item in loss.origins],
        mode="markers",
        name=f"⚑ {precision_label(loss.precision)} loss begins",
        customdata=[place[item.index] for item in loss.origins],
        marker={
            "symbol": "triangle-down",
            "size": [14 if item in loss.guilty else 9 for item in loss.origins],
            "color": colour,
            "line": {"color": _PICKED, "width": 1.6},
        },
        selected={"marker": {"opacity": 1, "size": 15, "color": _PICKED}},
        unselected={"marker": {"opacity": 1}},
        hovertext=[
            f"<b>{text.chart(item.name, 70)}</b><br>{precision_label(loss.precision)} loses "
            f"{text.decibels(item.loss_db)} here"
            for item in loss.origins
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        row=1,
        col=1,
    )
    _name_guilty(figure, loss, place, low)


def _name_guilty(figure: Any, loss: Loss, place: Mapping[int, int], low: float) -> None:
    middle = max(place.values(), default=0) / 2
    for number, item in enumerate(loss.guilty[:_NAMED_ORIGINS]):
        is_late = place[item.index] > middle  # its name has its room on the left
        # The guiltiest is named in full; the others by number, since they often stand close together.
        figure.add_annotation(
            x=place[item.index],
            y=max(item.sqnr_db, low),
            text=f"⚑ {text.chart(item.name, 38)}" if not number else f"⚑{number + 1}",
            showarrow=True,
            arrowhead=0,
            arrowcolor=_GREY,
            ax=-14 if is_late else 14,
            ay=34 if not number else 24,
            xanchor="right" if is_late else "left",
            font={"size": 11},
            row=1,
            col=1,
        )


def draw_brackets(figure: Any, spans: Sequence[Bracket], levels: int, *, row: int) -> None:
    """Blocks of layers as brackets with their names, in a row of their own below a figure's others."""
    last = max(item.last for item in spans) + 1
    for item in spans:
        label = text.chart(item.label, 26)
        figure.add_scatter(
            x=[item.first - 0.4, item.first - 0.4, item.last + 0.4, item.last + 0.4],
            y=[-item.level, -item.level - 0.25, -item.level - 0.25, -item.level],
            mode="lines",
            line={"color": _GREY, "width": 1.4},
            showlegend=False,
            hovertext=f"{label}: layers {item.first} to {item.last}",
            hoverinfo="text",
            row=row,
            col=1,
        )
        room = int(150 * (item.last - item.first + 1) / last)
        if room >= 3:
            figure.add_annotation(
                x=(item.first + item.last) / 2,
                y=-item.level - 0.58,
                text=text.chart(item.label, max(room, 3)),
                showarrow=False,
                font={"size": 10},
                row=row,
                col=1,
            )
    figure.update_yaxes(visible=False, range=[-levels, 0.1], fixedrange=True, row=row, col=1)
    figure.update_xaxes(zeroline=False, row=row, col=1)
