"""The precision that was asked for against what an engine's layers run in, with the cause that its record shows."""

from __future__ import annotations

from collections.abc import Sequence

from trt_core.analysis.engine_layers import LayerRow, Role, has_matrix_work, layer_rows
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.recordings import EngineStudy

_MISSING = "missing scale and zero-point"
_FEW = 0.5  # of the layers with matrix work
_BLOCK = (
    "Quantize its matrix multiplications with Q/DQ pairs, FP32 weights before them for 8.6, or use a newer TensorRT."
)
_QDQ = "Build the INT8 variant with Q/DQ pairs from a file with folded constants: the builder has to follow them."


def requested_findings(study: EngineStudy) -> tuple[Finding, ...]:
    """One finding where a quantized precision was asked for and half of the matrix work or more does not run in it.

    The cause is read out of the engine's record and the builder's own warnings: one compiled block that calibration
    does not reach into, biases that other layers compute, tensors without a scale.
    """
    rows = layer_rows(study)
    if not study.asked.is_quantized or not rows:
        return ()
    able = [row for row in rows if has_matrix_work(row)]
    quantized = [row for row in able if row.precision is study.asked]
    if able and len(quantized) >= _FEW * len(able):
        return ()
    asked, ran = study.asked.value.upper(), sum(row.precision is study.asked for row in rows)
    causes = _causes(study, rows)
    if ran == 0 and _block(study, rows) and not _calibrated(study):
        return (_not_recorded(study, asked, causes),)
    matrix = f", {len(quantized)} of the {len(able)} with matrix work" if able else ""
    return (
        Finding(
            rule="precision-not-reached" if ran == 0 else "precision-share-low",
            severity=Severity.BLOCKER if ran == 0 else Severity.WARNING,
            message=f"{asked} was asked for; {ran} of {len(rows)} layers run in it{matrix}. {' '.join(causes)}".strip(),
            remedy=_remedy(study, rows) if causes else "See what each layer runs in, and what the builder said.",
            evidence=", ".join(f"{count} {name}" for name, count in study.record.precisions.items()),
        ),
    )


def _not_recorded(study: EngineStudy, asked: str, causes: Sequence[str]) -> Finding:
    """With Q/DQ pairs in the file, a compiled block may well be quantized inside: its record only tells its border."""
    return Finding(
        rule="precision-not-recorded",
        severity=Severity.WARNING,
        message=f"{asked} was asked for; the record names only the precision at the border. {' '.join(causes)}",
        remedy=f"Hold its size and time against the FP16 engine's: they tell whether {asked} is at work inside.",
        evidence=", ".join(f"{count} {name}" for name, count in study.record.precisions.items()),
    )


def _calibrated(study: EngineStudy) -> bool:
    """True where the compiler itself chose what to quantize, from ranges."""
    return bool(study.calibration_cache or _scales(study))


def _remedy(study: EngineStudy, rows: Sequence[LayerRow]) -> str:
    return _BLOCK if _block(study, rows) else _QDQ


def _causes(study: EngineStudy, rows: Sequence[LayerRow]) -> list[str]:
    return [cause for cause in (_block(study, rows), _biases(study, rows), _scales(study)) if cause]


def _block(study: EngineStudy, rows: Sequence[LayerRow]) -> str:
    blocks = [row for row in rows if row.role is Role.BLOCK and row.precision is not study.asked]
    if not blocks or any(row.role is Role.MATRIX for row in rows):
        return ""
    share = sum(row.share or 0.0 for row in blocks)
    took = f" that takes {share:.0%} of the layer time" if share else ""
    what = "one compiled block" if len(blocks) == 1 else f"{len(blocks)} compiled blocks"
    reach = "; calibration ranges do not reach into it" if _calibrated(study) else ""
    return f"The network became {what}{took}{reach}."


def _biases(study: EngineStudy, rows: Sequence[LayerRow]) -> str:
    """A convolution whose bias is no constant gets it as a tensor, and is not quantized."""
    floating = {row.position for row in rows if row.role is Role.MATRIX and row.precision is not study.asked}
    count = sum(study.facts[at].has_dynamic_bias for at in floating if at < len(study.facts))
    if 2 * count < len(floating) or not count:
        return ""
    return f"{count} of the {len(floating)} others read their bias from another layer, because it is no constant."


def _scales(study: EngineStudy) -> str:
    missing = sum(_MISSING in line.lower() for line in study.said)
    return f"The builder found no scale for {missing} tensors." if missing else ""
