from __future__ import annotations

import math

import pytest

from trt_core.domain.engine import BuilderOptions, sm_from_text
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.profiles import range_from_text
from trt_core.errors import InvalidInput, InvalidProfile


@pytest.mark.parametrize(
    "wish",
    [
        {"duration_s": math.nan},
        {"duration_s": math.inf},
        {"duration_s": -1.0},
        {"iterations": 10**12},
        {"warmup": 10**12},
        {"streams": 10**6},
        {"threads": -3},
    ],
)
def test_a_measurement_that_would_never_end_is_refused(wish):
    with pytest.raises(InvalidInput):
        LatencyRequest(**wish)


def test_a_dimension_that_tensorrt_cannot_hold_is_refused_by_name():
    with pytest.raises(InvalidProfile, match="'x', dimension 0"):
        range_from_text("x=99999999999999999999x8")


def test_a_workspace_beyond_any_gpu_is_refused():
    with pytest.raises(InvalidInput, match="Workspace"):
        BuilderOptions(workspace_mb=10**14)


def test_digits_that_are_no_decimal_numbers_are_no_architecture():
    with pytest.raises(InvalidInput, match="²6"):
        sm_from_text("²6")
