from __future__ import annotations

import numpy as np
import pytest

from trt_core.backends.tensorrt.bindings import Border, asked_of, fitting_profile, prepared
from trt_core.backends.tensorrt.engines import engine_version
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, InvalidProfile, UnreadableModel

PROFILES = ({"x": ((1, 3), (4, 3), (8, 3))}, {"x": ((9, 3), (16, 3), (32, 3))})
X = TensorSpec(name="x", dtype="float32", shape=(None, 3))
IDS = TensorSpec(name="ids", dtype="int32", shape=(2,))


@pytest.mark.parametrize(("batch", "profile"), [(1, 0), (8, 0), (9, 1), (32, 1)])
def test_the_first_profile_that_holds_all_shapes_is_taken(batch, profile):
    assert fitting_profile({"x": (batch, 3)}, PROFILES) == profile


def test_shapes_that_no_profile_holds_are_refused_with_what_each_allows():
    with pytest.raises(
        InvalidProfile, match=r"profile 0 takes 'x' from \(1, 3\) to \(8, 3\), not \(64, 3\); profile 1"
    ):
        fitting_profile({"x": (64, 3)}, PROFILES)


def test_an_engine_of_fixed_shapes_has_one_profile_that_always_fits():
    assert fitting_profile({}, ({},)) == 0


def test_wider_arrays_are_narrowed_only_where_nothing_is_lost():
    ready = prepared({"x": np.ones((2, 3)), "ids": np.array([1, 2])}, (X, IDS))
    assert {name: array.dtype.name for name, array in ready.items()} == {"x": "float32", "ids": "int32"}
    with pytest.raises(InvalidData, match="'ids' holds values beyond 32 bits"):
        prepared({"x": np.ones((2, 3), np.float32), "ids": np.array([1, 2**40])}, (X, IDS))


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "Input 'x' is missing"),
        ({"x": np.ones((2, 4), np.float32)}, r"'x' has the shape \(2, 4\); the engine wants"),
        ({"x": np.ones(3, np.float32)}, r"'x' has the shape \(3,\)"),
        ({"x": np.ones((2, 3), np.float16)}, "'x' is float16; the engine wants float32"),
        ({"x": np.ones((2, 3), np.float32), "z": np.ones(1)}, "no input 'z'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(feeds, said):
    with pytest.raises(InvalidData, match=said):
        prepared(feeds, (X,))


def test_an_engines_header_tells_who_wrote_it():
    head = b"ftrt" + bytes(20) + bytes([8, 6, 0, 12])
    assert engine_version(head) == (8, 6, 0, 12)
    with pytest.raises(UnreadableModel, match="an engine of TensorRT-RTX"):
        engine_version(b"vtrt" + head[4:])
    with pytest.raises(UnreadableModel, match="no TensorRT engine"):
        engine_version(b"ONNX")
    with pytest.raises(UnreadableModel, match="only 10 bytes"):
        engine_version(head[:10])


def test_a_shape_tensor_is_asked_for_by_its_values_as_far_as_the_profile_tells_them():
    def border(*ends):
        return Border(inputs=(IDS,), outputs=(), host=frozenset({"ids"}), profiles=({"ids": ends},))

    ids = np.array([3, 4], np.int32)
    assert asked_of("ids", ids, border((1, 1), (2, 4), (8, 8))) == (3, 4)
    assert asked_of("ids", ids, border((1,), (2,), (8,))) == (3,)  # what 8.6 tells of two values
    assert asked_of("x", np.ones((2, 3)), border((1,), (2,), (8,))) == (2, 3)
