from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from tests import models
from trt_core.domain.profiles import OptimizationProfile, range_from_text
from trt_core.errors import InvalidProfile
from trt_core.onnx_graph.load import load_model
from trt_core.onnx_graph.shapes import check_profiles

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("digits_*/model.onnx"))


def profile(*texts: str) -> OptimizationProfile:
    return OptimizationProfile(ranges=tuple(range_from_text(text) for text in texts))


def refused(model, *profiles: OptimizationProfile) -> str:
    with pytest.raises(InvalidProfile) as caught:
        check_profiles(model, profiles)
    assert caught.value.remedy
    return str(caught.value)


def adding():
    """x (a, 4) + z (b, 4): works where a = b or one of them is 1."""
    return models.model(
        [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Add", ["h", "z"], ["y"], name="sum")],
        [models.value("x", ["a", 4]), models.value("z", ["b", 4])],
        [models.value("y", None)],
    )


def test_profiles_that_can_work_are_accepted():
    assert check_profiles(models.mlp(), [profile("x=1x8:4x8:64x8"), profile("x=128x8")]) == ()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_the_samples_accept_any_batch(path: Path):
    assert check_profiles(load_model(path), [profile("image=1x1x16x16:8x1x16x16:256x1x16x16")]) == ()


def test_a_static_model_needs_no_profile():
    assert check_profiles(models.branching(), []) == ()


def test_a_dynamic_model_without_a_profile_is_refused():
    assert "'x' (batch × 8) is dynamic" in refused(models.mlp())


def test_a_static_dimension_cannot_change():
    assert "dimension 1 is 8, the profile asks for 9..9" in refused(models.mlp(), profile("x=1x9"))


def test_an_addition_that_fails_at_max_names_the_node_the_profile_and_the_shapes():
    fine = profile("x=1x4:2x4:3x4", "z=1x4:2x4:3x4")
    message = refused(adding(), fine, profile("x=1x4:2x4:3x4", "z=1x4:2x4:5x4"))

    assert "Node 'sum' (Add)" in message
    assert "profile 1 at max" in message
    assert "'x' 3 × 4" in message
    assert "its inputs are 'h' 3 × 4, 'z' 5 × 4" in message


def test_a_reshape_to_a_fixed_batch_is_found_before_the_build():
    assert check_profiles(models.fixed_batch_reshape(), [profile("x=2x4")]) == ()

    message = refused(models.fixed_batch_reshape(), profile("x=2x4:2x4:8x4"))

    assert "Node 'fixed' (Reshape)" in message
    assert "profile 0 at max ('x' 8 × 4)" in message
    assert "32 elements" in message
    assert "8" in message


def test_an_image_smaller_than_the_kernel_is_refused():
    model = models.model(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="wide")],
        [models.value("x", [1, 3, "h", "w0"])],
        [models.value("y", None)],
        [models.tensor("w", (4, 3, 7, 7))],
    )

    assert "Node 'wide' (Conv)" in refused(model, profile("x=1x3x4x4:1x3x16x16:1x3x32x32"))


def test_shapes_recorded_for_another_batch_do_not_get_in_the_way():
    model = models.mlp()
    model.graph.value_info.append(models.value("h", [1, 16]))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1

    assert check_profiles(model, [profile("x=4x8")]) == ()


def test_unknown_ops_are_passed_over():
    nodes = [helper.make_node("Mystery", ["x"], ["m"], domain="d"), helper.make_node("EfficientNMS_TRT", ["m"], ["y"])]
    model = models.model(nodes, [models.value("x", ["b"])], [models.value("y", ["b"])], domains=["d"])

    assert check_profiles(model, [profile("x=1:2:3")]) == ()


def test_an_empty_minimum_and_a_repeated_profile_are_findings():
    found = check_profiles(models.mlp(), [profile("x=0x8:1x8:2x8"), profile("x=0x8:1x8:2x8")])

    assert [finding.rule for finding in found] == ["profile-allows-empty", "profile-repeated", "profile-allows-empty"]
