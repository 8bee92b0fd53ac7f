"""Scales of a quantized file that do not fit what it reads: a fault of the file, not of the format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from trt_core.analysis.origins import Origin
from trt_core.domain.divergence import LayerDivergence, ScaleChange
from trt_core.domain.findings import Finding, Severity

REFITTED = "refitted"  # label of the file with fitting scales, in a comparison
_MOVED = 2.0  # times or by: less is what calibration methods differ by
_SHIFTED = 32.0  # steps of a zero point: an eighth of the range cut off


def with_avoidable(layers: Sequence[LayerDivergence], label: str) -> tuple[LayerDivergence, ...]:
    """Layers of a comparison with the file under `label` and, isolated, with fitting scales under `REFITTED`.

    The latter's error is taken out and becomes what of the former's is avoidable, in dB. A layer of which fitting
    scales are not known has none.
    """
    return tuple(_with_avoidable(layer, label) for layer in layers)


def _with_avoidable(layer: LayerDivergence, label: str) -> LayerDivergence:
    own, fitting = layer.error(label, isolated=True), layer.error(REFITTED, isolated=True)
    left = replace(layer, isolated=tuple(pair for pair in layer.isolated if pair[0] != REFITTED))
    if own is None or fitting is None:
        return left
    gain = fitting.sqnr_db - own.sqnr_db
    return left if math.isnan(gain) else replace(left, avoidable_db=((label, gain),))


def scale_findings(found: Sequence[Origin], changes: Mapping[int, Sequence[ScaleChange]]) -> Iterator[Finding]:
    """One for each layer whose scales do not fit, most guilty first; `changes` are its scales, by the node's index."""
    for item in found:
        if item.is_fault:
            yield Finding(
                rule="scale-does-not-fit",
                severity=Severity.WARNING,
                message=f"Scales or zero points here do not fit the values: {_cost(item)}.",
                remedy="Correct them, or calibrate again with data like these: no layer need be kept in FP16 for it.",
                nodes=(item.name,),
                evidence=_scales(changes.get(item.index, ())),
            )


def _cost(item: Origin) -> str:
    own = item.isolated_db if item.isolated_db is not None else math.nan
    if not math.isfinite(own):
        return "with those of MinMax over these samples the layer would be finite"
    best = own + item.avoidable_db
    word = "exact" if best == math.inf else f"at {best:.1f} dB"
    return f"the layer alone is at {own:.1f} dB, with those of MinMax over these samples it would be {word}"


def _scales(changes: Sequence[ScaleChange]) -> str:
    """The scales that moved far; where none did, the one that moved most."""
    moved = sorted((item for item in changes if item.before != item.after), key=_ratio, reverse=True)
    told = [_scale(item) for item in moved if _ratio(item) >= _MOVED]
    told += [
        f"Zero point of {item.tensor}: {item.zero_before:g} in the file, {item.zero_after:g} fits."
        for item in changes
        if _ratio(item) < _MOVED and abs(item.zero_before - item.zero_after) > _SHIFTED
    ]
    return " ".join((told or [_scale(item) for item in moved[:1]])[:4])


def _scale(item: ScaleChange) -> str:
    return f"Scale of {item.tensor}: {item.before:.4g} in the file, {item.after:.4g} fits."


def _ratio(item: ScaleChange) -> float:
    """How many times a scale is too large or too small; inf for one that is no scale at all."""
    if item.before == item.after:
        return 1.0
    if not (0.0 < item.before < math.inf and 0.0 < item.after < math.inf):
        return math.inf
    return max(item.before / item.after, item.after / item.before)
