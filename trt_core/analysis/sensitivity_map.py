"""Precisions beside each other: strips of errors over the layers, gains, and one row a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.analysis.divergence_pictures import Bracket
from trt_core.domain.divergence import LayerDivergence
from trt_core.domain.precision import Precision
from trt_core.domain.sensitivity import PrecisionSensitivity, SensitivityRun
from trt_core.domain.triage import UnitSensitivity

SCALE_DB = (0.0, 60.0)  # of every strip: below, a layer is lost; above, an error is of no consequence


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One kind of error of one precision, an SQNR in dB or None for each compared layer, in topological order."""

    precision: Precision
    kind: str  # "accumulated", "isolated", "only weights", "only activations"
    sqnr_db: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Gains:
    """What the metric gains when one layer alone goes back: by position, measured or estimated."""

    precision: Precision
    positions: tuple[int, ...]
    gains: tuple[float, ...]
    measured: tuple[bool, ...]


def strips(run: SensitivityRun) -> tuple[Strip, ...]:
    """Kind by kind, the precisions of a kind beside each other; a kind that was not measured has no strip."""
    found = []
    for isolated, kind in ((False, "accumulated"), (True, "isolated")):
        for part in run.precisions:
            errors = [layer.error(part.precision.value, isolated=isolated) for layer in run.layers]
            values = tuple(None if error is None else error.sqnr_db for error in errors)
            found.append(Strip(precision=part.precision, kind=kind, sqnr_db=values))
    for half in ("weights", "activations"):
        for part in run.precisions:
            by_place = {place: getattr(unit, f"{half}_db") for place, unit in unit_places(run, part).items()}
            values = tuple(by_place.get(place) for place in range(len(run.layers)))
            found.append(Strip(precision=part.precision, kind=f"only {half}", sqnr_db=values))
    return tuple(strip for strip in found if any(value is not None for value in strip.sqnr_db))


def unit_places(run: SensitivityRun, part: PrecisionSensitivity) -> Mapping[int, UnitSensitivity]:
    """Each unit at the layer where its error is measured: the last of its nodes that was compared."""
    place = {layer.index: position for position, layer in enumerate(run.layers)}
    found = {}
    for item in part.units:
        places = [place[index] for index in item.unit.indices if index in place]
        if places:
            found[max(places)] = item
    return found


def gains(run: SensitivityRun) -> tuple[Gains, ...]:
    """Leave-one-out of each precision that has any."""
    found = []
    for part in run.precisions:
        known = sorted((at, item) for at, item in unit_places(run, part).items() if item.gain is not None)
        if known:
            found.append(
                Gains(
                    precision=part.precision,
                    positions=tuple(at for at, _ in known),
                    gains=tuple(item.gain or 0.0 for _, item in known),
                    measured=tuple(item.is_measured for _, item in known),
                )
            )
    return tuple(found)


def blocks_of(spans: Sequence[Bracket], layers: Sequence[LayerDivergence]) -> tuple[str, ...]:
    """The block of each layer, outer and inner scope joined; "" where there is none."""
    found = []
    for position in range(len(layers)):
        around = sorted((item for item in spans if item.first <= position <= item.last), key=lambda item: item.level)
        found.append("/".join(item.label for item in around))
    return tuple(found)


def map_rows(run: SensitivityRun, spans: Sequence[Bracket]) -> list[dict[str, object]]:
    """One row a layer with all errors of all precisions, for a table and for CSV; `inf` and `-inf` are in words."""
    blocks, places = blocks_of(spans, run.layers), [unit_places(run, part) for part in run.precisions]
    rows = []
    for position, layer in enumerate(run.layers):
        row: dict[str, object] = {"#": position, "Block": blocks[position], "Layer": layer.name, "Op": layer.op_type}
        for part, by_place in zip(run.precisions, places, strict=True):
            row |= _cells(layer, part, by_place.get(position))
        rows.append(row)
    return rows


def _cells(layer: LayerDivergence, part: PrecisionSensitivity, item: UnitSensitivity | None) -> dict[str, object]:
    label = part.precision.value
    whole, alone = layer.error(label), layer.error(label, isolated=True)
    name, halves = label.upper(), {}
    if any(unit.weights_db is not None for unit in part.units):
        halves = {
            f"{name} only weights, dB": item.weights_db if item else None,
            f"{name} only activations, dB": item.activations_db if item else None,
        }
    return {
        f"{name} accumulated, dB": whole.sqnr_db if whole else None,
        f"{name} isolated, dB": alone.sqnr_db if alone else None,
        **halves,
        f"{name} gain": item.gain if item else None,
        f"{name} gain is": "" if item is None or item.gain is None else "measured" if item.is_measured else "estimated",
    }
