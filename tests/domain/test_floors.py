"""The floor of SQNR where nobody gives one."""

from __future__ import annotations

import pytest

from trt_core.domain.precision import HEALTHY_DB, Precision
from trt_core.domain.validation import default_tolerance, floor_words

LOW = (Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8, Precision.INT4)


@pytest.mark.parametrize("precision", LOW)
def test_the_default_floor_is_one_or_two_bits_below_what_a_healthy_layer_reaches(precision):
    floor = default_tolerance("sqnr", (precision,))

    assert HEALTHY_DB[precision] - 12.0 <= floor <= HEALTHY_DB[precision] - 6.0
    assert precision.value.upper() in floor_words("sqnr", (precision,))


def test_of_several_precisions_the_lowest_floor_holds_and_of_none_that_of_eight_bits():
    assert default_tolerance("sqnr", LOW) == default_tolerance("sqnr", (Precision.INT4,)) == 12.0
    assert default_tolerance("sqnr") == default_tolerance("sqnr", (Precision.FP32,)) == 30.0


@pytest.mark.parametrize(("metric", "usual"), [("cosine", 0.999), ("top1", 0.005), ("own", 0.005)])
def test_other_metrics_do_not_go_by_the_precision(metric, usual):
    assert default_tolerance(metric, (Precision.INT4,)) == usual
    assert "FP" not in floor_words(metric, (Precision.FP8,))
