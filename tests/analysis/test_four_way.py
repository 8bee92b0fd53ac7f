from __future__ import annotations

import pytest

from trt_core.analysis.four_way import four_way
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine_divergence import Blame


def corner(sqnr_db: float, **counts):
    return "y", TensorError(sqnr_db=sqnr_db, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0, **counts)


@pytest.mark.parametrize(
    ("ort_low", "engine_fp32", "engine_low", "blame"),
    [
        (40.0, 120.0, 38.0, Blame.NOTHING),
        (12.0, 120.0, 11.0, Blame.QUANTIZATION),
        (12.0, 120.0, 15.0, Blame.QUANTIZATION),  # the simulation may lose more than the engine
        (45.0, 120.0, 20.0, Blame.ENGINE),
        (45.0, 20.0, 20.0, Blame.ENGINE),  # wrong in FP32 already
        (20.0, 120.0, 5.0, Blame.BOTH),
        (33.0, 120.0, 28.0, Blame.QUANTIZATION),  # five decibels apart: the precision
        (60.0, 120.0, float("-inf"), Blame.ENGINE),
        (float("-inf"), 120.0, float("-inf"), Blame.QUANTIZATION),
    ],
)
def test_blame(ort_low, engine_fp32, engine_low, blame):
    square = four_way("int8", ort_low=corner(ort_low), engine_fp32=corner(engine_fp32), engine_low=corner(engine_low))
    assert square.blame is blame, square.sentence
    assert square.sentence.startswith("TensorRT in INT8 is ")


def test_a_higher_floor_blames_what_a_lower_one_lets_pass():
    corners = {"ort_low": corner(35.0), "engine_fp32": corner(120.0), "engine_low": corner(34.0)}
    assert four_way("int8", **corners, intact_db=30.0).blame is Blame.NOTHING
    assert four_way("int8", **corners, intact_db=40.0).blame is Blame.QUANTIZATION


def test_without_an_engine_the_column_is_absent_with_its_reason_and_nothing_is_blamed():
    square = four_way("fp16", ort_low=corner(60.0), engine_fp32="there is no GPU.", engine_low="there is no GPU.")
    assert square.blame is Blame.CANNOT_TELL
    assert square.sentence == "The TensorRT column is absent: there is no GPU."
    assert square.cell("TensorRT", "fp32").absent == "there is no GPU."
    assert square.cell("ONNX Runtime", "fp16").error.sqnr_db == 60.0
    assert square.cell("ONNX Runtime", "fp32").error is None


def test_the_sentence_says_what_is_not_finite():
    square = four_way("fp16", ort_low=corner(60.0), engine_fp32=corner(120.0), engine_low=corner(float("-inf"), nan=3))
    assert square.sentence.startswith("TensorRT in FP16 is not finite, ONNX Runtime at 60.0 dB: the engine is to blame")
