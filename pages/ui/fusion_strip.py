"""The strip of engine layers in execution order, with what each writes or takes above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.ui import text
from pages.ui.fusion_missing import LEVEL_PX, add_missing
from pages.ui.once import figure_once
from pages.ui.outlines import MANY, STEP, outline, skyline
from pages.ui.theme import NEUTRAL, PRECISION_LABELS, PRECISION_LETTERS, plot_layout, precision_colour, room
from trt_core.analysis.fusion_pictures import has_sizes, missing_fusions, size_unit
from trt_core.domain.fusion import FusionMap, MappedLayer
from trt_core.domain.precision import Precision

PICKED = "#C2185B"
_FEW = 60  # blocks that still have room for a letter


@figure_once(16)
def layer_figure(fusion: FusionMap, chosen: int | None, times_ms: Mapping[int, float] | None = None) -> Any:
    """Engine layers in execution order: a strip of equal blocks, and above it the bytes that each writes.

    With `times_ms`, mean times by layer index, they stand in place of the bytes.

    Below stand the expected fusions that did not happen, as dashed blocks over their layers. Every block carries a
    layer's index, so that a click says which one it was.
    """
    sized = times_ms is not None or has_sizes(fusion.layers)
    missing = missing_fusions(fusion)
    levels = 1 + max((item.level for item in missing), default=-1)
    rows = [height for height in (250 * sized, 100, LEVEL_PX * levels) if height]
    many = len(fusion.layers) > MANY
    figure = _stacked(rows)
    of_layer, title = _heights(fusion, times_ms) if sized else ({}, "")
    _blocks(figure, fusion.layers, chosen, of_layer)
    if many:
        _marked(figure, fusion.layers, of_layer, title)
    if missing:
        add_missing(figure, missing, levels, layers=len(fusion.layers), row=len(rows))
    figure.update_layout(
        plot_layout(
            height=(380 if sized else 200) + LEVEL_PX * levels,
            barmode="overlay",
            bargap=0.06,
            margin=room(ticks=74 if sized else 12),
            # Thousands of blocks are thinner than what a pointer hits: the one in its column is meant.
            hovermode="x" if many else "closest",
        )
    )
    figure.update_layout({"yaxis": {"title": title}, f"yaxis{1 + sized}": {"visible": False, "fixedrange": True}})
    figure.update_xaxes(range=[0.4, len(fusion.layers) + 0.6], showgrid=False, title="engine layer, in execution order")
    return figure


def _stacked(heights: Sequence[float]) -> Any:
    """An empty figure of rows over one axis: with an axis each, a browser would lay out the ticks of all of them."""
    import plotly.graph_objects as go

    figure = go.Figure()
    space = 10 / sum(heights)
    share = (1 - space * (len(heights) - 1)) / sum(heights)
    top = 1.0
    for row, height in enumerate(heights, start=1):
        bottom = max(0.0, top - share * height)
        figure.update_layout({f"yaxis{row}": {"domain": [bottom, top], "anchor": "x"}})
        top = bottom - space
    figure.update_layout(xaxis={"anchor": f"y{len(heights)}"})
    return figure


def _blocks(figure: Any, layers: Sequence[MappedLayer], chosen: int | None, of_layer: Mapping[int, float]) -> None:
    """The layers of each precision as blocks of one height, and above them, where `of_layer` says it, of their own."""
    place = {layer.index: number for number, layer in enumerate(layers, start=1)}
    draw = _shapes if len(layers) > MANY else _bars
    for precision in [item for item in Precision if any(layer.precision is item for layer in layers)]:
        alike = [layer for layer in layers if layer.precision is precision]
        if of_layer:
            draw(figure, alike, place, chosen, row=1, heights=[of_layer[layer.index] for layer in alike])
        letter = PRECISION_LETTERS[precision] if len(layers) <= _FEW else ""
        draw(figure, alike, place, chosen, row=1 + bool(of_layer), heights=[1.0] * len(alike), letter=letter)


def _marked(figure: Any, layers: Sequence[MappedLayer], of_layer: Mapping[int, float], title: str) -> None:
    """What answers the pointer where the blocks are one shape."""
    said = [_brief(layer) for layer in layers]
    row = 1 + bool(of_layer)
    _marks(figure, layers, row=row, heights=[0.5] * len(said), said=said, template="%{hovertext}")
    if of_layer:  # what a layer is would be sent once more: the block below says it
        tall = [of_layer[layer.index] for layer in layers]
        words = f"<b>layer %{{customdata}}</b><br>{title}: %{{y:.3~f}}"
        _marks(figure, layers, row=1, heights=tall, said=None, template=words)


def _heights(fusion: FusionMap, times_ms: Mapping[int, float] | None) -> tuple[dict[int, float], str]:
    """What stands above each layer, by index, and the title of its axis."""
    if times_ms is not None:
        return {layer.index: times_ms.get(layer.index, 0.0) * 1000 for layer in fusion.layers}, "mean time, µs"
    unit, scale = size_unit(fusion.layers)
    return {layer.index: layer.output_bytes / scale for layer in fusion.layers}, f"output, {unit}"


def _bars(
    figure: Any,
    layers: list[MappedLayer],
    place: dict[int, int],
    chosen: int | None,
    *,
    row: int,
    heights: list[float],
    letter: str = "",
) -> None:
    precision = layers[0].precision
    label = f"{PRECISION_LABELS[precision]} ({PRECISION_LETTERS[precision]})"
    figure.add_bar(
        x=[place[layer.index] for layer in layers],
        y=heights,
        width=0.94,  # else Plotly takes it from the trace's own gaps, and a rare precision becomes a broad bar
        customdata=[layer.index for layer in layers],
        name=label,
        legendgroup=label,
        showlegend=row == 1,
        marker={
            "color": precision_colour(precision),
            "line": {
                "width": [3 if layer.index == chosen else 0 for layer in layers],
                "color": PICKED,
            },
        },
        text=[letter] * len(layers) if letter else None,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        hovertext=[layer_hover(layer) for layer in layers],
        hovertemplate="%{hovertext}<extra></extra>",
        yaxis=f"y{row}",
    )


def _shapes(
    figure: Any,
    layers: list[MappedLayer],
    place: dict[int, int],
    chosen: int | None,
    *,
    row: int,
    heights: list[float],
    letter: str = "",  # noqa: ARG001 - there is no room for it
) -> None:
    """The blocks of `_bars` as one skyline."""
    precision = layers[0].precision
    label = f"{PRECISION_LABELS[precision]} ({PRECISION_LETTERS[precision]})"
    common: dict[str, Any] = {"legendgroup": label, "yaxis": f"y{row}"}
    look = {"fill": "toself", "fillcolor": precision_colour(precision), "hoverinfo": "skip"}
    xs, ys = skyline((place[layer.index], height) for layer, height in zip(layers, heights, strict=True))
    figure.add_scatter(x=xs, y=ys, mode="none", line=STEP, name=label, showlegend=row == 1, **look, **common)
    for layer, height in zip(layers, heights, strict=True):
        if layer.index == chosen:
            xs, ys = outline([(place[chosen], place[chosen], height)])
            line = {"width": 3, "color": PICKED, **STEP}
            figure.add_scatter(x=xs, y=ys, mode="lines", line=line, showlegend=False, **look, **common)


def _marks(
    figure: Any,
    layers: Sequence[MappedLayer],
    *,
    row: int,
    heights: Sequence[float],
    said: Sequence[str] | None,
    template: str,
) -> None:
    """A mark on each of the blocks, which is not drawn and answers the pointer."""
    figure.add_scatter(
        x0=1,
        y=heights,
        mode="markers",
        marker={"color": NEUTRAL, "opacity": 0, "maxdisplayed": 1},
        customdata=[layer.index for layer in layers],
        showlegend=False,
        hovertext=said,
        hovertemplate=f"{template}<extra></extra>",
        yaxis=f"y{row}",
    )


def _brief(layer: MappedLayer) -> str:
    """What a mark says among thousands, whose words cost more than their drawing; a click tells the rest."""
    kind = f"{text.chart(layer.kind)} · {PRECISION_LABELS[layer.precision]}"
    return f"<b>{layer.index} · {text.chart(layer.name, 50)}</b><br>{kind}"


def layer_hover(layer: MappedLayer) -> str:
    """What a layer's block or mark says: name, kind, precision, kernel, nodes, bytes."""
    size = text.mebibytes(layer.output_bytes) if layer.output_bytes else "size not recorded"
    lines = [
        f"<b>{layer.index} · {text.chart(layer.name, 70)}</b>",
        f"{text.chart(layer.kind)} · {PRECISION_LABELS[layer.precision]}",
        *([text.chart(layer.kernel, 70)] if layer.kernel else []),
        f"{text.counted(len(layer.nodes), 'node')}, writes {size}",
    ]
    return "<br>".join(lines)
