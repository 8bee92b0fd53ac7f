"""What the plots and tables of a divergence run draw: curves, brackets, what each precision loses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.analysis.graph_groups import group_graph
from trt_core.analysis.origins import LEAST_LOSS_DB, Origin, origins
from trt_core.domain.divergence import DivergenceRun, LayerDivergence, TensorError
from trt_core.domain.graph import Graph

FLOORS_DB = (20.0, 30.0, 40.0)
CLEAN_DB = 100.0  # beyond, an error is of no consequence in any format
INT_LEVELS = {"int8": 127, "int4": 7}
_LEVELS = 2
_MOST_BRACKETS = 24
LARGEST_FP16 = 65504.0  # IEEE 754 binary16


@dataclass(frozen=True, kw_only=True)
class Curve:
    """SQNR over layers: positions in the run with their dB, and those that no axis can hold.

    `clean` are positions without any error or above 100 dB, `broken` those with values that are not finite, or noise
    without signal.
    """

    precision: str
    isolated: bool
    positions: tuple[int, ...]
    sqnr_db: tuple[float, ...]
    clean: tuple[int, ...]
    broken: tuple[int, ...]


def curve(layers: Sequence[LayerDivergence], precision: str, *, isolated: bool) -> Curve | None:
    """The curve of one precision; None where nothing was measured."""
    found = [
        (position, error.sqnr_db)
        for position, layer in enumerate(layers)
        if (error := layer.error(precision, isolated=isolated)) is not None
    ]
    if not found:
        return None
    drawn = [(position, value) for position, value in found if -math.inf < value <= CLEAN_DB]
    return Curve(
        precision=precision,
        isolated=isolated,
        positions=tuple(position for position, _ in drawn),
        sqnr_db=tuple(value for _, value in drawn),
        clean=tuple(position for position, value in found if value > CLEAN_DB),
        broken=tuple(position for position, value in found if not value > -math.inf),
    )


def curves(run: DivergenceRun) -> tuple[Curve, ...]:
    """Every curve of a run: accumulated before isolated, precisions in the run's order."""
    made = [curve(run.layers, label, isolated=isolated) for isolated in (False, True) for label in run.candidates]
    return tuple(item for item in made if item is not None)


def axis_db(drawn: Sequence[Curve]) -> tuple[float, float]:
    """An axis that holds every finite value, all floors, and a free strip at both ends for what is no number."""
    values = [value for item in drawn for value in item.sqnr_db]
    low, high = min([*values, 0.0]), max([*values, FLOORS_DB[-1]])
    return low - 0.04 * (high - low), high + 0.12 * (high - low)


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """Neighbouring layers that belong together, by position (both ends included); `level` 0 is the outermost."""

    label: str
    first: int
    last: int
    level: int


def brackets(graph: Graph, layers: Sequence[LayerDivergence]) -> tuple[Bracket, ...]:
    """Name scopes of the layers, or where names have none the repeated blocks of the graph."""
    return _scopes([layer.name for layer in layers]) or _blocks(graph, layers)


def _scopes(names: Sequence[str]) -> tuple[Bracket, ...]:
    """Runs of neighbours that share a scope (`/encoder/layer0/…`), at the first depths that tell layers apart."""
    parts = [[part for part in name.split("/") if part][:-1] for name in names]
    found: list[Bracket] = []
    level = 0
    for depth in range(1, max((len(part) for part in parts), default=0) + 1):
        runs = _runs([tuple(part[:depth]) if len(part) >= depth else None for part in parts])
        if len(runs) > _MOST_BRACKETS or level == _LEVELS:
            break
        if len(runs) > 1:
            found += [Bracket(label=key[-1], first=first, last=last, level=level) for key, first, last in runs]
            level += 1
    return tuple(found)


def _blocks(graph: Graph, layers: Sequence[LayerDivergence]) -> tuple[Bracket, ...]:
    groups = group_graph(graph, "blocks").root.children
    group_of = {node: (str(number), group.label) for number, group in enumerate(groups) for node in group.members}
    runs = _runs([group_of.get(layer.index) for layer in layers])
    if not 1 < len(runs) <= _MOST_BRACKETS:
        return ()
    return tuple(Bracket(label=key[-1], first=first, last=last, level=0) for key, first, last in runs)


def _runs(keys: Sequence[tuple[str, ...] | None]) -> list[tuple[tuple[str, ...], int, int]]:
    found: list[tuple[tuple[str, ...], int, int]] = []
    for position, key in enumerate(keys):
        if key is None:
            continue
        if found and found[-1][0] == key and found[-1][2] == position - 1:
            found[-1] = (key, found[-1][1], position)
        else:
            found.append((key, position, position))
    return found


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What one precision costs: its worst output, its worst layer, where the loss begins, layers under each floor.

    `floor_counts` are (floor in dB, layers below it). Errors are accumulated where those were measured.
    """

    precision: str
    isolated: bool
    output: str
    output_sqnr_db: float | None  # None: only isolated errors were measured
    worst: LayerDivergence
    worst_sqnr_db: float
    origins: tuple[Origin, ...]
    floor_counts: tuple[tuple[float, int], ...]
    layers: int

    @property
    def guilty(self) -> tuple[Origin, ...]:
        """Origins that lose what a healthy layer of this precision would not."""
        return tuple(item for item in self.origins if item.excess_db >= LEAST_LOSS_DB)


def losses(graph: Graph, run: DivergenceRun) -> tuple[Loss, ...]:
    """One for each precision of the run that has an error, the most lossy first."""
    found = [loss for label in run.candidates if (loss := _loss(graph, run, label)) is not None]
    return tuple(sorted(found, key=_badness))


def _badness(loss: Loss) -> float:
    return loss.worst_sqnr_db if loss.output_sqnr_db is None else loss.output_sqnr_db


def _loss(graph: Graph, run: DivergenceRun, label: str) -> Loss | None:
    isolated = not any(layer.error(label) for layer in run.layers)
    errors = [(layer, error) for layer in run.layers if (error := layer.error(label, isolated=isolated)) is not None]
    if not errors:
        return None
    outputs = [(out.name, dict(out.errors)[label].sqnr_db) for out in run.outputs if label in dict(out.errors)]
    output, output_db = min(outputs, key=lambda item: item[1]) if outputs else ("", None)
    worst, worst_error = min(errors, key=lambda item: item[1].sqnr_db)
    return Loss(
        precision=label,
        isolated=isolated,
        output=output,
        output_sqnr_db=output_db,
        worst=worst,
        worst_sqnr_db=worst_error.sqnr_db,
        origins=origins(graph, run.layers, label),
        floor_counts=tuple((floor, sum(error.sqnr_db < floor for _, error in errors)) for floor in FLOORS_DB),
        layers=len(errors),
    )


def feeding(graph: Graph, run: DivergenceRun, index: int) -> tuple[LayerDivergence, ...]:
    """The nearest compared layers before a node, through those that were not compared; in file order."""
    measured = {layer.index: layer for layer in run.layers}
    seen: set[int] = set()
    found: set[int] = set()
    left = [index]
    while left:
        for name in graph.nodes[left.pop()].inputs:
            source = graph.producer_of.get(name)
            if source is None or source in seen:
                continue
            seen.add(source)
            if source in measured:
                found.add(source)
            else:
                left.append(source)
    return tuple(measured[source] for source in sorted(found))


# From good to bad, and the nodes that have no tensor to compare.
BANDS = ("equal", "≥40 dB", "≥30 dB", "≥20 dB", "<20 dB", "NaN or Inf", "not compared")


def band(error: TensorError) -> str:
    """The band of `BANDS` that an error falls in."""
    if error.nan or error.inf or not error.sqnr_db > -math.inf:
        return BANDS[5]
    if error.sqnr_db == math.inf:
        return BANDS[0]
    return BANDS[4 - sum(error.sqnr_db >= floor for floor in FLOORS_DB)]


def bands(graph: Graph, run: DivergenceRun, precision: str) -> dict[int, str]:
    """The band of every node, by index; the accumulated error where there is one."""
    found = dict.fromkeys(range(len(graph.nodes)), BANDS[6])
    for layer in run.layers:
        error = layer.error(precision) or layer.error(precision, isolated=True)
        if error is not None:
            found[layer.index] = band(error)
    return found


@dataclass(frozen=True, kw_only=True)
class FormatLimit:
    """The largest magnitude that a tensor keeps in a precision, and the step of its grid where that is even."""

    precision: str
    largest: float
    step: float | None = None


def format_limits(layer: LayerDivergence, scales: Mapping[str, Mapping[str, float]]) -> tuple[FormatLimit, ...]:
    """Limits that matter for a layer: the clipping range of its tensor where it is quantized, FP16's where it is near.

    `scales` gives for each precision the scale of every quantized tensor.
    """
    found = []
    for precision, by_tensor in scales.items():
        step = by_tensor.get(layer.tensor)
        if step is not None and precision in INT_LEVELS:
            found.append(FormatLimit(precision=precision, largest=step * INT_LEVELS[precision], step=step))
    largest = max((max(abs(item.low), abs(item.high)) for item in layer.histograms), default=0.0)
    if largest > LARGEST_FP16 / 100 and layer.error("fp16") is not None:
        found.append(FormatLimit(precision="fp16", largest=LARGEST_FP16))
    return tuple(found)
