"""Rules over engine layers that the recordings do not hold: each made small, with the tactics' real names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.analysis.trt86 import study
from trt_core.analysis.engine_lint import lint, uses_tensor_core
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy


def tensor(name: str, dtype: str = "half") -> EngineTensor:
    return EngineTensor(name=name, dtype=dtype, shape=(8, 64, 56, 56), format="Row major linear")


def layer(name: str, kind: str, *, dtypes: tuple[str, str] = ("half", "half"), **known) -> EngineLayer:
    return EngineLayer(
        index=known.pop("index", 0),
        name=name,
        kind=kind,
        precision=known.pop("precision", Precision.FP16),
        inputs=(tensor(f"{name}:in", dtypes[0]),),
        outputs=(tensor(f"{name}:out", dtypes[1]),),
        **known,
    )


def linted(*layers: EngineLayer, border: tuple[str, ...] = ()) -> dict[str, Finding]:
    record = EngineRecord(layers=layers, io_tensors=tuple(map(tensor, border)))
    times = tuple(0.01 for _ in layers)
    made = EngineStudy(id="", title="made", project="made", stamp="", record=record, times_ms=times)
    return {found.rule: found for found in lint(made)}


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("turing_fp16_i8816cudnn_int8_128x128_ldg16_relu_small_nt_v1", True),
        ("volta_h884cudnn_256x64_ldg8_relu_exp_small_nhwc_tn_v1", True),
        ("ampere_fp32_icudnn_int8x4_128x64_relu_medium_nn_v1", False),
        ("ampere_scudnn_128x64_relu_medium_nn_v1", False),
    ],
)
def test_cudnns_kernels_say_whether_they_use_tensor_cores(kernel, expected):
    assert uses_tensor_core(kernel) is expected


def test_only_a_reformat_to_another_dtype_is_the_networks_doing():
    found = linted(
        layer("layout", "Reformat"),
        layer("cast in", "Reformat", dtypes=("float", "half")),
        layer("cast out", "Reformat", dtypes=("half", "float")),
        layer("cast again", "Reformat", dtypes=("half", "float")),
    )["reformat-converts"]
    assert found.nodes == ("cast in", "cast out", "cast again")
    assert found.evidence == "2 FP16 to FP32, 1 FP32 to FP16"
    assert found.severity is Severity.WARNING  # three quarters of the time
    assert "reformat-converts" not in linted(layer("layout", "Reformat"))


def test_a_recorded_engine_converts_at_its_border():
    (found,) = (item for item in lint(study("enc_fp16")) if item.rule == "reformat-converts")
    assert found.evidence == "1 FP16 to FP32"


def test_a_slice_to_another_layout_is_no_finding_and_one_to_another_dtype_is():
    other = layer("slice", "Slice")
    packed = replace(other, outputs=(replace(other.outputs[0], format="Channel major where channel % 8 == 0"),))
    assert "slice-converts" not in linted(packed)
    assert linted(layer("slice", "Slice", dtypes=("int8", "float")))["slice-converts"].nodes == ("slice",)


def test_the_softmax_of_a_classifier_is_no_attention():
    softmax = layer("predictions/Softmax", "CudaSoftMax", source_names=("predictions/Softmax",))
    assert "attention-not-fused" not in linted(softmax, border=("predictions/Softmax:out",))
    assert "0 fused attention kernels for 1" in linted(softmax)["attention-not-fused"].message


def test_a_fused_attention_kernel_is_no_compiled_pointwise_work():
    assert "compiled-kernels" not in linted(layer("_gemm_mha_v2_myl0_3", "kgen"))
    assert "compiled-kernels" in linted(layer("__myl_AddMul_myl0_3", "kgen"))


def test_projections_of_attention_in_layers_of_their_own_are_counted_by_their_names():
    apart = [
        layer(f"l.{what}", "gemm", source_names=(f"/encoder/0/self/{what}/MatMul",))
        for what in ("query", "key", "value")
    ]
    together = layer("qkv", "gemm", source_names=tuple(f"/encoder/1/{what}_proj/MatMul" for what in ("q", "k", "v")))
    found = linted(*apart, together)["projections-not-fused"]
    assert found.message.startswith("3 layers compute queries, keys or values alone (75% of the time); 1 computes all")
    assert "projections-not-fused" not in linted(*apart[:2], together)  # the third is not known by its name
    assert "projections-not-fused" not in linted(together)


def test_layers_beside_each_other_are_told_because_their_times_do_not_add_up():
    found = linted(layer("one", "gemm"), layer("two", "gemm"), layer("beside", "gemm", stream=1))
    assert found["auxiliary-streams"].message.startswith("1 of 3 layers run on other streams")
    assert "auxiliary-streams" not in linted(layer("one", "gemm"))


def test_one_layer_is_no_plural():
    found = linted(
        layer("in int8", "gemm", dtypes=("int8", "float"), precision=Precision.INT8, kernel="ampere_scudnn_128x64"),
        layer("cast", "Reformat", dtypes=("float", "half")),
        layer("slice", "Slice", dtypes=("int8", "float")),
        layer("x", "quantize"),
    )
    assert found["int8-in-float-out"].message.startswith("1 layer reads INT8 and writes floating point")
    assert found["reformat-converts"].message.startswith("1 reformat changes the dtype")
    assert found["qdq-not-fused"].message.startswith("1 Q/DQ node stayed a layer of its own")
