from __future__ import annotations

import pytest

from tests import models
from trt_core.backends.tensorrt.typing_rules import check_weak, types_of
from trt_core.domain.precision import KeepRule, Precision, Recipe, TensorRange
from trt_core.errors import UnsupportedRequest
from trt_core.precision.normalize import normalize
from trt_core.precision.variant import make_variant


def typed(folder, precision, **recipe):
    proto = models.mlp()
    normalized = normalize(proto)
    ranges = [TensorRange(tensor=name, low=-3.0, high=3.0, scale=3 / 127) for name in ("x", "h", "a", "y")]
    made = make_variant(proto, Recipe(precision=precision, **recipe), ranges, normalized=normalized)
    return types_of(models.saved(made.model, folder / "v.onnx"))


def test_an_fp32_file_asks_for_nothing(tmp_path):
    assert typed(tmp_path, Precision.FP32).precisions == set()


def test_an_fp16_file_names_the_nodes_that_stay_in_fp32(tmp_path):
    found = typed(tmp_path, Precision.FP16, keep=(KeepRule(node="second", precision=Precision.FP32),))
    assert found.precisions == {Precision.FP16}
    assert "second" in found.fp32_nodes
    assert "first" not in found.fp32_nodes


def test_a_file_with_pairs_asks_for_int8(tmp_path):
    assert typed(tmp_path, Precision.INT8, rest=Precision.FP32).precisions == {Precision.INT8}


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP8, Precision.INT4])
def test_what_8_6_cannot_read_is_refused_with_the_reason(precision):
    with pytest.raises(UnsupportedRequest, match=rf"TensorRT 8\.6\.0 has no {precision.value.upper()}: it reads FP32"):
        check_weak({precision, Precision.FP16}, "8.6.0")


def test_fp16_and_int8_pass():
    check_weak({Precision.FP16, Precision.INT8}, "8.6.0")
