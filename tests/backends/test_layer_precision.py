from __future__ import annotations

import pytest

from trt_core.backends.layer_precision import precision_of_layer
from trt_core.domain.engine import EngineTensor
from trt_core.domain.precision import Precision


def tensors(*dtypes: str) -> tuple[EngineTensor, ...]:
    return tuple(EngineTensor(name=f"t{index}", dtype=dtype) for index, dtype in enumerate(dtypes))


def precision(*, name="n_myl0_1", kind="kgen", kernel="", reads=(), writes=(), holds=()):
    return precision_of_layer(
        name=name, kind=kind, kernel=kernel, inputs=tensors(*reads), outputs=tensors(*writes), constants=tensors(*holds)
    )


def test_a_gemm_that_reads_int8_computes_in_int8_whatever_it_writes():
    assert precision(kind="gemm", reads=["int8"], writes=["half"], holds=["int8", "float"]) is Precision.INT8


def test_a_gemm_with_small_weights_and_half_operands_computes_in_half():
    assert precision(kind="gemm", reads=["half"], writes=["half"], holds=["int4", "half"]) is Precision.FP16


def test_a_fused_gemm_that_dequantizes_first_computes_in_floating_point():
    name = "__myl_CastMulFc_myl0_1"
    assert precision(name=name, kind="runtime_fusion", reads=["fp8"], writes=["float"]) is Precision.FP32


def test_a_fused_gemm_that_reads_int8_directly_computes_in_int8():
    name = "__myl_FcAddCast_myl0_1"
    assert precision(name=name, kind="runtime_fusion", reads=["int8"], writes=["half"]) is Precision.INT8


def test_fused_attention_on_int8_operands_computes_in_int8():
    assert precision(name="_gemm_mha_v2_myl0_2", reads=["int8"] * 3, writes=["half"]) is Precision.INT8


@pytest.mark.parametrize(("reads", "writes"), [("float", "half"), ("half", "float")])
def test_a_pure_cast_counts_as_what_it_casts_to(reads, writes):
    found = precision(name="__myl_Cast_myl0_0", reads=[reads], writes=[writes])
    assert found is (Precision.FP16 if writes == "half" else Precision.FP32)


def test_a_kernel_that_casts_at_its_end_computes_in_what_it_reads():
    assert precision(name="__myl_AddCast_myl0_7", reads=["half"], writes=["float"]) is Precision.FP16


def test_quantization_computes_in_the_dtype_that_it_reads():
    assert precision(name="__myl_MulMinMaxRounCast_myl0_0", reads=["half"], writes=["int8"]) is Precision.FP16


def test_moving_quantized_values_counts_as_their_dtype():
    assert precision(name="__myl_Tran_myl0_8", reads=["int8"], writes=["int8"]) is Precision.INT8


def test_integer_layers_have_no_precision():
    assert precision(reads=["int64"], writes=["bool"]) is Precision.UNKNOWN


def test_tf32_is_only_reported_where_the_tactic_says_so():
    assert precision(kind="gemm", reads=["float"], writes=["float"]) is Precision.FP32
    tactic = "sm80_xmma_gemm_f32f32_tf32f32_f32"
    assert precision(kind="gemm", kernel=tactic, reads=["float"], writes=["float"]) is Precision.TF32
