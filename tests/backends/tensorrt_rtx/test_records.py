from __future__ import annotations

import gzip
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trt_core.backends.layer_names import source_names
from trt_core.backends.tensorrt_rtx.records import engine_record_from_log
from trt_core.domain.precision import Precision

RECORDINGS = Path(__file__).parents[2] / "data" / "rtx"


def recorded(name: str) -> str:
    return gzip.decompress((RECORDINGS / f"{name}.log.gz").read_bytes()).decode()


def test_a_recorded_int8_network_runs_its_convolutions_in_int8_and_the_rest_in_fp16():
    record = engine_record_from_log(recorded("cnn_int8"))
    assert [layer.kind for layer in record.layers] == [
        "kgen", "correlation", "kgen", "correlation", "kgen", "correlation", "kgen", "maxpool", "kgen", "gemm", "kgen",
    ]  # fmt: skip
    assert record.precisions == {"fp16": 7, "int8": 4}
    assert {layer.precision for layer in record.layers if layer.kind in {"correlation", "gemm"}} == {Precision.INT8}


def test_a_layer_carries_its_tensors_with_dtype_shape_and_format():
    layer = engine_record_from_log(recorded("cnn_int8")).layers[3]
    assert layer.name == "conv2_myl0_3"
    assert layer.source_names == ("conv2", "r1_DequantizeLinear", "w2_DequantizeLinear")
    (read,) = layer.inputs
    assert (read.dtype, read.shape) == ("int8", (1, 16, 32, 32))
    assert [tensor.dtype for tensor in layer.constants] == ["int8", "float", "float"]
    assert [(tensor.dtype, tensor.shape) for tensor in layer.outputs] == [("float", (1, 16, 32, 32))]
    assert all(tensor.format for tensor in (*layer.inputs, *layer.outputs))


def test_inputs_and_outputs_of_the_engine_are_read():
    record = engine_record_from_log(recorded("cnn_int8"))
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in record.io_tensors] == [
        ("x", "float", (1, 3, 32, 32)),
        ("y", "float", (1, 10)),
    ]


def test_passes_and_memory_are_read():
    record = engine_record_from_log(recorded("encoder_fp16"))
    assert record.passes[0][0] == "dead-layer removal"
    assert ("Myelin optimization", 1) in {(name, after) for name, _, after in record.passes}
    assert all(before == after for (_, _, after), (_, before, _) in pairwise(record.passes))
    assert record.activation_bytes is not None
    assert record.weight_bytes is not None
    assert record.weight_bytes > 0


def test_fused_attention_is_one_fp16_layer_with_all_its_nodes():
    record = engine_record_from_log(recorded("encoder_fp16"))
    (attention,) = [layer for layer in record.layers if "gemm_mha" in layer.name]
    assert attention.precision is Precision.FP16
    assert {"qk", "scale", "softmax", "av"} == set(attention.source_names)


def test_a_softmax_between_fp8_operands_computes_in_floating_point():
    record = engine_record_from_log(recorded("encoder_fp8"))
    (softmax,) = [layer for layer in record.layers if "softmax" in layer.source_names]
    assert [tensor.precision for tensor in softmax.inputs] == [Precision.FP8]
    assert softmax.precision is Precision.FP32
    assert record.precisions["fp8"] == 11


def test_kernels_of_branches_name_the_if_of_the_file_and_jumps_are_bookkeeping():
    record = engine_record_from_log(recorded("if_branches"))
    assert [layer.source_names for layer in record.layers if "Sigm" in layer.name] == [("if0",)]
    assert {layer.kind for layer in record.layers if layer.is_bookkeeping} == {"jmp", "cjmp"}


def test_kernels_of_a_local_function_name_the_node_that_calls_it():
    (layer,) = engine_record_from_log(recorded("local_function")).layers
    assert layer.source_names == ("blk0", "r")


def test_a_log_without_a_dump_gives_no_layers():
    record = engine_record_from_log("[INFO] Total Weights Memory: 12 bytes\nnothing else")
    assert (record.layers, record.weight_bytes) == ((), 12)


def test_of_several_builds_in_one_log_the_last_one_counts():
    twice = recorded("local_function") + "\n" + recorded("cnn_int8")
    assert len(engine_record_from_log(twice).layers) == 11
    assert engine_record_from_log(twice).passes == engine_record_from_log(recorded("cnn_int8")).passes


def test_names_may_hold_brackets_braces_and_commas():
    name = "^]){[weird, Outputs (*"
    line = (
        f"Layers:\nName: {name}_myl0_1, LayerType: kgen, Inputs: [ {{ Name: {name}, Dimensions: [-1,2], Strides: [2,1],"
        " StrideOrder: [1,0], Datatype: Half, Format: (Linear) Row major linear format }, { Name: b, Dimensions: [],"
        " Datatype: Int64, Format: x }], Constants: [], Outputs: [ { Name: y, Dimensions: [1], Datatype: Half,"
        f" Format: f }}], TacticName: t, StreamId: 3, EventId: 7, Metadata: [ONNX Layer: {name}]__gemm_from_conv1x1"
    )
    (layer,) = engine_record_from_log(line).layers
    assert layer.name == f"{name}_myl0_1"
    assert [(tensor.name, tensor.shape) for tensor in layer.inputs] == [(name, (-1, 2)), ("b", ())]
    assert (layer.kernel, layer.stream, layer.source_names) == ("t", 3, (name,))


def test_a_native_layer_has_a_tactic_value_and_no_constants():
    line = (
        "Layers:\nName: Reformatting CopyNode for Input Tensor 0 to c, LayerType: Reformat, Inputs: [ { Name: x,"
        " Location: Device, Dimensions: [1,3], Datatype: Float, Format: Format not available due to dynamic shapes }],"
        " Outputs: [ { Name: z, Location: Device, Dimensions: [1,3], Datatype: Half, Format: f }],"
        " TacticValue: 0x00000000000003e8, StreamId: 0, Metadata: "
    )
    (layer,) = engine_record_from_log(line).layers
    assert (layer.name, layer.kernel) == ("Reformatting CopyNode for Input Tensor 0 to c", "0x00000000000003e8")
    assert layer.precision is Precision.FP16  # a reformat counts as what it writes
    assert layer.inputs[0].format == "Format not available due to dynamic shapes"


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ("", ()),
        ("[ONNX Layer: a]\x1e[ONNX Layer: b]\x1f[ONNX Layer: a]", ("a", "b")),
        ("[ONNX Layer: conv]__gemm_from_conv1x1\x1f[ONNX Layer: relu]", ("conv", "relu")),
        ("[ONNX Layer: inner | fn0 (Fn) | outer (Fn)]", ("outer",)),
        ("[ONNX Layer: node (with) parentheses (x)]", ("node (with) parentheses (x)",)),
        ("[ONNX Layer: a[0]]", ("a[0]",)),
        ("[ONNX Layer: a]\x1e[ONNX Lay ... er: b\x1e[ONNX Layer: c]", ("a", "c")),
        ("free text", ()),
    ],
)
def test_source_names_come_from_the_metadata_s_entries(metadata, names):
    assert source_names(metadata) == names


DUMP = recorded("cnn_int8")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mangled_log_never_raises(data):
    start = data.draw(st.integers(0, len(DUMP)))
    end = data.draw(st.integers(start, len(DUMP)))
    middle = data.draw(st.text(alphabet="[]{}, :\n\x1e\x1fNameLayers(0-9)", max_size=40))
    cut = DUMP[data.draw(st.integers(0, start)) : start] + middle + DUMP[end:]
    engine_record_from_log(cut)
    engine_record_from_log("Layers:\n" + cut)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_after_a_layer_s_name_never_raises(text):
    engine_record_from_log(f"Layers:\nName: {text}\nI/O Tensors:\n Name: {text}")
    source_names(text)


@pytest.mark.parametrize(
    "line",
    [
        "Name: " + "[" * 400_000,
        "Name: a, LayerType: k, Inputs: [ " + "{ Name: x, Dimensions: [" * 30_000,
        "Name: a, LayerType: k, Inputs: [ " + "{ Name: x, Dimensions: [1] }, " * 30_000,
        "Name: a, LayerType: k, Inputs: [ " + "{ Name: x }, " * 30_000,
        "Name: a, LayerType: k, Inputs: [], Metadata: " + "[ONNX Layer: " * 40_000,
        "Name: a, LayerType: k, Inputs: [], TacticName: " + ", TacticName" * 40_000,
        "Name: a, LayerType: k, Inputs: [], TacticName: " + ", a:" * 100_000,
        "Name: a, LayerType: k, Inputs: [], StreamId: " + " (" * 200_000,
        "[" * 400_000,
        "[a]" * 100_000,
        "[ONNX Layer: a | " + " (" * 200_000 + "]",
    ],
)
def test_hostile_lines_cost_linear_time(line):
    started = time.perf_counter()
    engine_record_from_log("Layers:\n" + line)
    source_names(line)
    assert time.perf_counter() - started < 1.5
