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
_SHIFTED = 8.0  # steps of a zero point


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
    if not math.isfinite(own) or not math.isfinite(item.avoidable_db):
        return "with those of MinMax over these samples the layer would be finite"
    best = own + item.avoidable_db
    return f"the layer alone is at {own:.1f} dB, with those of MinMax over these samples it would be at {best:.1f} dB"


def _scales(changes: Sequence[ScaleChange]) -> str:
    told = []
    for item in changes:
        if not 1.0 / _MOVED < item.before / item.after < _MOVED:
            told.append(f"Scale of {item.tensor}: {item.before:.4g} in the file, {item.after:.4g} fits.")
        elif abs(item.zero_before - item.zero_after) > _SHIFTED:
            told.append(f"Zero point of {item.tensor}: {item.zero_before:g} in the file, {item.zero_after:g} fits.")
    return " ".join(told[:4])
