"""Requests refuse what cannot be meant, before a job is made."""

from __future__ import annotations

import math

import pytest

from trt_core.domain.requests import ValidateSpec
from trt_core.errors import InvalidInput


def asked(metric: str, tolerance: float) -> ValidateSpec:
    return ValidateSpec(model_id="m", subject_id="v", data_id="d", metric=metric, tolerance=tolerance)


@pytest.mark.parametrize(
    ("metric", "floor"), [("cosine", 30.0), ("cosine", math.nan), ("sqnr", math.nan), ("sqnr", math.inf)]
)
def test_a_floor_that_nothing_reaches_is_refused(metric: str, floor: float):
    with pytest.raises(InvalidInput, match="floor"):
        asked(metric, floor)


@pytest.mark.parametrize(("metric", "floor"), [("cosine", 1.0), ("cosine", 0.999), ("sqnr", 1000.0), ("sqnr", -5.0)])
def test_a_floor_that_can_be_reached_is_taken(metric: str, floor: float):
    assert asked(metric, floor).tolerance == floor
