"""Which scales a finding names, and in what words."""

from __future__ import annotations

import math

import pytest

from trt_core.analysis.origins import Origin
from trt_core.analysis.scale_rules import scale_findings
from trt_core.domain.divergence import ScaleChange


def told(*changes: ScaleChange, isolated_db: float = 10.0, avoidable_db: float = 30.0):
    layer = Origin(
        index=3,
        name="conv",
        sqnr_db=isolated_db,
        loss_db=20.0,
        excess_db=20.0,
        before_db=40.0,
        isolated_db=isolated_db,
        avoidable_db=avoidable_db,
    )
    (finding,) = scale_findings([layer], {3: changes})
    return finding


def change(tensor: str, before: float, after: float, **zeros: float) -> ScaleChange:
    return ScaleChange(tensor=tensor, before=before, after=after, **zeros)


def test_scales_that_moved_far_are_named_and_those_that_fit_are_not():
    evidence = told(change("x", 1.0, 0.02), change("w", 0.5, 0.4), change("z", 1.0, 1.0, zero_before=90.0)).evidence

    assert evidence == "Scale of x: 1 in the file, 0.02 fits. Zero point of z: 90 in the file, 0 fits."


def test_a_scale_of_zero_that_nothing_could_be_fitted_to_is_passed_over():
    """As of a bias that is zero everywhere: it is a constant in INT32, and stays as it is."""
    assert told(change("bias", 0.0, 0.0), change("x", 1.0, 0.02)).evidence == ("Scale of x: 1 in the file, 0.02 fits.")


@pytest.mark.parametrize("broken", [0.0, math.nan, math.inf, -0.02])
def test_what_is_no_scale_at_all_is_named(broken):
    assert told(change("x", broken, 0.02)).evidence.startswith(f"Scale of x: {broken:.4g} in the file")


def test_where_no_scale_moved_far_the_one_that_moved_most_is_named():
    """A scale a tenth too small cuts a large value off, which can cost a bit by itself."""
    assert told(change("w", 0.5, 0.51), change("x", 0.02, 0.022)).evidence.startswith("Scale of x: 0.02 ")


@pytest.mark.parametrize(
    ("isolated_db", "avoidable_db", "words"),
    [(10.0, 30.0, "would be at 40.0 dB"), (10.0, math.inf, "would be exact"), (-math.inf, math.inf, "would be finite")],
)
def test_what_fitting_scales_would_give_back_is_said(isolated_db, avoidable_db, words):
    message = told(change("x", 1.0, 0.02), isolated_db=isolated_db, avoidable_db=avoidable_db).message

    assert message.endswith(f"{words}.")
