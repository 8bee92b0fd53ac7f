"""The rows of the profile form."""

from __future__ import annotations

import pytest

from trt_core.domain.profile_axes import first_sizes, free_axes, profile_from_sizes, usual_profile
from trt_core.domain.profiles import check_profile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidProfile

IDS = TensorSpec(name="ids", dtype="int64", shape=("batch", "length"))
MASK = TensorSpec(name="mask", dtype="int64", shape=("batch", "length"))
IMAGE = TensorSpec(name="image", dtype="float32", shape=(None, 3, "height", None))


def test_a_symbol_has_one_row_wherever_it_occurs():
    assert [axis.key for axis in free_axes((IDS, MASK))] == ["batch", "length"]
    assert free_axes((IDS, MASK))[1].places == (("ids", 1), ("mask", 1))


def test_an_unnamed_dimension_has_a_row_of_its_own():
    assert [axis.key for axis in free_axes((IMAGE,))] == ["image[0]", "height", "image[3]"]


def test_a_static_model_has_no_rows():
    assert free_axes((TensorSpec(name="x", dtype="float32", shape=(1, 3)),)) == ()


def test_a_preset_fills_first_dimensions_only():
    batch, length = free_axes((IDS,))

    assert first_sizes(batch, (1, 4, 8)) == (1, 4, 8)
    assert first_sizes(length, (1, 4, 8)) == (1, 1, 1)


def test_rows_become_a_profile_that_the_model_accepts():
    sizes = {"batch": (1, 4, 8), "length": (16, 128, 512)}

    profile = profile_from_sizes((IDS, MASK), sizes)

    check_profile(profile, (IDS, MASK))
    assert profile.range_of("mask").opt == (4, 128)


@pytest.mark.parametrize("sizes", [(8, 4, 1), (1, 9, 8), (0, 1, 1)])
def test_a_row_out_of_order_is_named(sizes):
    with pytest.raises(InvalidProfile, match="'batch': min"):
        profile_from_sizes((IDS,), {"batch": sizes, "length": (1, 1, 1)})


def test_an_input_of_unknown_rank_is_refused_by_name():
    with pytest.raises(InvalidProfile, match="'x' has no known rank"):
        profile_from_sizes((TensorSpec(name="x", dtype="float32", shape=None),), {})


def test_sizes_that_nobody_fixes_are_those_that_an_engine_is_made_for():
    def profile(low: int, usual: int, high: int):
        lengths = {"batch": (low, usual, high), "length": (16 * low, 16 * usual, 16 * high)}
        return profile_from_sizes((IDS, MASK), lengths)

    def shapes(fixed, *profiles):
        return [item.opt for item in usual_profile((IDS, MASK), fixed, profiles).ranges]

    small, large = profile(1, 2, 4), profile(4, 8, 16)
    assert shapes({"length": 64}) == [(1, 64), (1, 64)]
    assert shapes({"length": 64}, small, large) == [(2, 64), (2, 64)]
    assert shapes({"length": 128}, small, large) == [(8, 128), (8, 128)]
    assert shapes({"batch": 3}, small, large) == [(3, 32), (3, 32)]
    assert shapes({"length": 4096}, small, large) == [(2, 4096), (2, 4096)]  # none holds it: the run says so
