from __future__ import annotations

import pytest

from trt_core.domain.engine import BuildRequest
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, ValueRange, check_profile, profile_from_texts
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidProfile

X = TensorSpec(name="x", dtype="float32", shape=("n", 4))
SIZE = TensorSpec(name="size", dtype="int64", shape=(2,))


def test_a_text_in_brackets_gives_values_any_other_a_shape():
    profile = profile_from_texts(["x=1x4:2x4:8x4", "size=[1x4]:[2x4]:[8x4]"])
    assert profile.ranges == (ShapeRange(tensor="x", min=(1, 4), opt=(2, 4), max=(8, 4)),)
    assert profile.values == (ValueRange(tensor="size", min=(1, 4), opt=(2, 4), max=(8, 4)),)
    check_profile(profile, (X, SIZE))
    assert profile_from_texts(["size=[7]"]).values == (ValueRange(tensor="size", min=(7,), opt=(7,), max=(7,)),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size=[4x4]:[2x4]:[8x4]", "min <= opt <= max"),
        ("size=[1x4]:[2x4x1]:[8x4]", "different|same number"),
        ("size=[1x4:[2x4]:[8x4]", "Write them as"),
        ("size=[1x]:[2x4]:[8x4]", "not a list of sizes"),
    ],
)
def test_values_that_cannot_be_a_range_are_refused(text, said):
    with pytest.raises(InvalidProfile) as refusal:
        profile_from_texts([text])
    assert any(part in str(refusal.value) for part in said.split("|"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x=[1x4]", "'x' is no input of whole numbers"),
        ("other=[1x4]", "'other' is no input"),
        ("size=[4]", "'size' holds 2 values, the profile gives 1"),
    ],
)
def test_values_are_given_to_small_inputs_of_whole_numbers_only(text, said):
    profile = profile_from_texts(["x=1x4:2x4:8x4", text]) if not text.startswith("x=") else profile_from_texts([text])
    with pytest.raises(InvalidProfile, match=said):
        check_profile(profile, (X, SIZE))


def test_an_input_has_a_shape_or_values_not_both():
    with pytest.raises(InvalidProfile, match="'x' has two ranges"):
        profile_from_texts(["x=1x4", "x=[1x4]"])


def test_a_request_without_values_keeps_the_id_it_had_before_there_were_any():
    bare = OptimizationProfile(ranges=(ShapeRange(tensor="x", min=(1,), opt=(1,), max=(1,)),))
    held = profile_from_texts(["size=[1]"])
    requests = [BuildRequest(variant_id="v", backend="b", target=None, profiles=(item,)) for item in (bare, held)]
    assert requests[0].identity["profiles"] == [{"ranges": [{"tensor": "x", "min": [1], "opt": [1], "max": [1]}]}]
    assert requests[1].identity["profiles"][0]["values"]
