"""The strip of engine layers in execution order, with the fusions that did not happen below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pages.ui import text
from pages.ui.once import once
from pages.ui.theme import NEUTRAL, PRECISION_LABELS, PRECISION_LETTERS, plot_layout, precision_colour
from trt_core.analysis.fusion_pictures import MissingFusion, has_sizes, missing_fusions, size_unit
from trt_core.domain.fusion import FusionMap, MappedLayer
from trt_core.domain.precision import Precision

PICKED = "#C2185B"
_LEVEL_PX = 26  # a level of dashed blocks
_STRIP_PX, _LETTER_PX = 900, 6.5  # about: a label stands where its block has room for it
_FEW = 60  # blocks that still have room for a letter
_MANY = 600  # blocks from which a browser draws one shape for all of a precision, not an element or two for each


@once(16)
def layer_figure(fusion: FusionMap, chosen: int | None, times_ms: Mapping[int, float] | None = None) -> Any:
    """Engine layers in execution order: a strip of equal blocks, and above it the bytes that each writes.

    With `times_ms`, mean times by layer index, they stand in place of the bytes.

    Below stand the expected fusions that did not happen, as dashed blocks over their layers. Every block carries a
    layer's index, so that a click says which one it was.
    """
    from plotly.subplots import make_subplots

    sized = times_ms is not None or has_sizes(fusion.layers)
    missing = missing_fusions(fusion)
    levels = 1 + max((item.level for item in missing), default=-1)
    heights = [height for height in (250 * sized, 100, _LEVEL_PX * levels) if height]
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=10 / sum(heights), row_heights=heights
    )
    of_layer, title = _heights(fusion, times_ms)
    place = {layer.index: number for number, layer in enumerate(fusion.layers, start=1)}
    many = len(fusion.layers) > _MANY
    draw = _shapes if many else _bars
    for precision in [item for item in Precision if any(layer.precision is item for layer in fusion.layers)]:
        layers = [layer for layer in fusion.layers if layer.precision is precision]
        if sized:
            draw(figure, layers, place, chosen, row=1, heights=[of_layer[layer.index] for layer in layers])
        letter = PRECISION_LETTERS[precision] if len(fusion.layers) <= _FEW else ""
        draw(figure, layers, place, chosen, row=1 + sized, heights=[1.0] * len(layers), letter=letter)
    if many:
        said = [layer_hover(layer) for layer in fusion.layers]
        _marks(figure, fusion.layers, row=1 + sized, heights=[0.5] * len(said), said=said, template="%{hovertext}")
        if sized:  # what a layer is would be sent once more: the block below says it
            tall = [of_layer[layer.index] for layer in fusion.layers]
            words = f"<b>layer %{{customdata}}</b><br>{title}: %{{y:.3~f}}"
            _marks(figure, fusion.layers, row=1, heights=tall, said=None, template=words)
    if missing:
        _missing(figure, missing, levels, layers=len(fusion.layers), row=len(heights))
    figure.update_layout(
        **plot_layout(
            height=(380 if sized else 200) + _LEVEL_PX * levels,
            barmode="overlay",
            bargap=0.06,
            clickmode="event+select",
            # Thousands of blocks are thinner than what a pointer hits: the one in its column is meant.
            hovermode="x" if many else "closest",
        )
    )
    figure.update_xaxes(range=[0.4, len(fusion.layers) + 0.6], showgrid=False)
    figure.update_xaxes(title="engine layer, in execution order", row=len(heights), col=1)
    figure.update_yaxes(visible=False, fixedrange=True, row=1 + sized, col=1)
    if sized:
        figure.update_yaxes(title=title, row=1, col=1)
    return figure


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
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        hovertext=[layer_hover(layer) for layer in layers],
        hovertemplate="%{hovertext}<extra></extra>",
        row=row,
        col=1,
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
    """The blocks of `_bars` as one outline."""
    precision = layers[0].precision
    label = f"{PRECISION_LABELS[precision]} ({PRECISION_LETTERS[precision]})"
    common: dict[str, Any] = {"legendgroup": label, "row": row, "col": 1}
    outline = {"fill": "toself", "fillcolor": precision_colour(precision), "hoverinfo": "skip"}
    places = [place[layer.index] for layer in layers]
    xs, ys = _outline(zip(places, places, heights, strict=True))
    figure.add_scatter(x=xs, y=ys, mode="none", name=label, showlegend=row == 1, **outline, **common)
    for layer, height in zip(layers, heights, strict=True):
        if layer.index == chosen:
            xs, ys = _outline([(place[chosen], place[chosen], height)])
            line = {"width": 3, "color": PICKED}
            figure.add_scatter(x=xs, y=ys, mode="lines", line=line, showlegend=False, **outline, **common)


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
        x=list(range(1, len(layers) + 1)),
        y=heights,
        mode="markers",
        marker={"color": [precision_colour(layer.precision) for layer in layers], "opacity": 0, "maxdisplayed": 1},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=[layer.index for layer in layers],
        showlegend=False,
        hovertext=said,
        hovertemplate=f"{template}<extra></extra>",
        row=row,
        col=1,
    )


def _outline(blocks: Iterable[tuple[int, int, float]], floor: float = 0.0) -> tuple[list[float], list[float]]:
    """Blocks (first, last, height) from left to right as one line along their floor: a gap would begin an element."""
    xs: list[float] = []
    ys: list[float] = []
    for first, last, height in blocks:
        left, right = round(first - 0.47, 2), round(last + 0.47, 2)
        xs += [left, left, right, right]
        ys += [floor, height, height, floor]
    return xs, ys


def _missing(figure: Any, missing: Sequence[MissingFusion], levels: int, *, layers: int, row: int) -> None:
    """Dashed blocks, each over the layers that would have been one."""
    name = f"expected, not fused ({len(missing)})"
    if layers > _MANY:  # dashes would be a grey bar, and every block an element
        _missing_shapes(figure, missing, levels, name=name, row=row)
    else:
        _missing_dashes(figure, missing, name=name, row=row)
    asked = {
        "x": [(item.first + item.last) / 2 for item in missing],
        "customdata": [item.layers[0] for item in missing],
        "legendgroup": name,
        "showlegend": False,
        "hovertext": [_missing_hover(item) for item in missing],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "row": row,
        "col": 1,
    }
    if layers > _MANY:
        _missing_marks(figure, missing, asked)
    else:
        _missing_words(figure, missing, room=_STRIP_PX / layers / _LETTER_PX, asked=asked)
    figure.update_yaxes(visible=False, fixedrange=True, range=[-levels, 0.05], row=row, col=1)


def _missing_marks(figure: Any, missing: Sequence[MissingFusion], asked: Mapping[str, Any]) -> None:
    """Marks that are not drawn and answer the pointer."""
    figure.add_scatter(
        y=[-item.level - 0.5 for item in missing],
        mode="markers",
        marker={"size": 16, "opacity": 0, "color": NEUTRAL, "maxdisplayed": 1},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        **asked,
    )


def _missing_words(figure: Any, missing: Sequence[MissingFusion], *, room: float, asked: Mapping[str, Any]) -> None:
    """Unseen bars that carry the words: in a narrower window, Plotly makes no word wider than its bar."""
    labels = [text.chart(item.pattern, 24) for item in missing]
    figure.add_bar(
        width=[item.last - item.first + 0.92 for item in missing],
        base=[-item.level - 0.92 for item in missing],
        y=[0.84] * len(missing),
        text=[
            label if len(label) <= room * (item.last - item.first + 1) else ""
            for label, item in zip(labels, missing, strict=True)
        ],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="inside",
        textfont={"size": 11, "color": NEUTRAL},
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        **asked,
    )


def _missing_dashes(figure: Any, missing: Sequence[MissingFusion], *, name: str, row: int) -> None:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for item in missing:
        left, right = item.first - 0.46, item.last + 0.46
        top, bottom = -item.level - 0.08, -item.level - 0.92
        xs += [left, right, right, left, left, None]
        ys += [top, top, bottom, bottom, top, None]
    line = {"color": NEUTRAL, "width": 1.6, "dash": "4px,3px"}
    figure.add_scatter(
        x=xs, y=ys, mode="lines", line=line, name=name, legendgroup=name, hoverinfo="skip", row=row, col=1
    )


def _missing_shapes(figure: Any, missing: Sequence[MissingFusion], levels: int, *, name: str, row: int) -> None:
    for level in range(levels):
        here = sorted((item.first, item.last, -level - 0.08) for item in missing if item.level == level)
        xs, ys = _outline(here, floor=-level - 0.92)
        look = {"mode": "none", "fill": "toself", "fillcolor": NEUTRAL, "opacity": 0.6, "hoverinfo": "skip"}
        figure.add_scatter(x=xs, y=ys, name=name, legendgroup=name, showlegend=not level, row=row, col=1, **look)


def _missing_hover(item: MissingFusion) -> str:
    numbers = ", ".join(str(index) for index in item.layers[:8]) + (" …" if len(item.layers) > 8 else "")
    return "<br>".join(
        [
            f"<b>{text.chart(item.pattern)} did not become one layer</b>",
            f"{text.counted(item.nodes, 'node')}, in layers {numbers}",
            *([text.chart(item.reason, 110)] if item.reason else []),
        ]
    )


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
