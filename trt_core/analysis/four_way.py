"""The four-way square {ONNX Runtime, TensorRT} x {FP32, low}: is the quantization or the engine to blame?"""

from __future__ import annotations

import math

from trt_core.domain.divergence import TensorError
from trt_core.domain.engine_divergence import INTACT_DB, Blame, FourWay, SquareCell

ORT, TENSORRT = "ONNX Runtime", "TensorRT"
FP32 = "fp32"
# Four times the noise power: more than the order of sums and the tactic's rounding differ by, and one bit of precision.
EXCESS_DB = 6.0
Corner = tuple[str, TensorError] | str  # worst output and its error, or why there is none


def four_way(
    precision: str,
    *,
    ort_low: Corner,
    engine_fp32: Corner,
    engine_low: Corner,
    engine_gap: TensorError | None = None,
    intact_db: float = INTACT_DB,
) -> FourWay:
    """Judge three corners against the fourth, ONNX Runtime in FP32, which is the reference.

    Every corner is the model's worst output with its error against the reference, or the reason for its absence. Blamed
    is what makes the engine in low precision worse than `intact_db`: the engine where it is wrong in FP32 already, or
    at least 6 dB worse than ONNX Runtime in the same precision; the quantization where ONNX Runtime, too, is below
    `intact_db`; both where both hold.
    """
    corners = ((ORT, precision, ort_low), (TENSORRT, FP32, engine_fp32), (TENSORRT, precision, engine_low))
    cells = (SquareCell(runtime=ORT, precision=FP32), *(_cell(*corner) for corner in corners))
    blame, sentence = _blame(*cells[1:], intact_db=intact_db)
    return FourWay(precision=precision, cells=cells, blame=blame, sentence=sentence, engine_gap=engine_gap)


def in_words(error: TensorError) -> str:
    """An SQNR behind `is`: at 60.0 dB, not finite, exact."""
    if error.sqnr_db == -math.inf:
        return "not finite" if error.nan + error.inf else "without a signal"
    return "exact" if error.sqnr_db == math.inf else f"at {error.sqnr_db:.1f} dB"


def _cell(runtime: str, precision: str, corner: Corner) -> SquareCell:
    if isinstance(corner, str):
        return SquareCell(runtime=runtime, precision=precision, absent=corner)
    return SquareCell(runtime=runtime, precision=precision, output=corner[0], error=corner[1])


def _blame(ort_low: SquareCell, fp32: SquareCell, low: SquareCell, *, intact_db: float) -> tuple[Blame, str]:
    title = low.precision.upper()
    if low.error is None:
        return Blame.CANNOT_TELL, f"The {TENSORRT} column is absent: {low.absent}"
    total = low.error.sqnr_db
    if total >= intact_db:
        return Blame.NOTHING, f"{TENSORRT} in {title} is {in_words(low.error)}: nothing is to blame."
    if ort_low.error is None:
        return Blame.CANNOT_TELL, f"{ORT} in {title} is absent: {ort_low.absent}"
    alone = ort_low.error.sqnr_db
    said = f"{TENSORRT} in {title} is {in_words(low.error)}, {ORT} {in_words(ort_low.error)}"
    in_fp32 = fp32.error is not None and fp32.error.sqnr_db < intact_db
    engine = in_fp32 or alone - total >= EXCESS_DB
    if in_fp32 and fp32.error is not None:
        said = f"{said}, and the engine is wrong in FP32 already, {in_words(fp32.error)}"
    if alone < intact_db:
        if engine:
            return Blame.BOTH, f"{said}: the quantization loses, and the engine loses more."
        return Blame.QUANTIZATION, f"{said}: the quantization is to blame, not the engine."
    if engine:
        return Blame.ENGINE, f"{said}: the engine is to blame, not the quantization."
    return Blame.QUANTIZATION, f"{said}, {alone - total:.1f} dB apart: the precision itself is to blame."
