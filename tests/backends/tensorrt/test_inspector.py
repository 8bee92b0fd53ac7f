from __future__ import annotations

import json
import re

import pytest

from tests.backends.tensorrt import recorded
from trt_core.analysis.engine_rules import engine_findings
from trt_core.backends.layer_names import names_in
from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.domain.findings import Severity
from trt_core.domain.fusion import FusionMap
from trt_core.domain.precision import Precision
from trt_core.errors import BackendError

NO_MAP = FusionMap(build_id="b", stamp="s", layers=(), nodes=())
NAMES = sorted(path.name.partition(".")[0] for path in recorded.FOLDER.glob("*.layers.json.gz"))


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_engine_is_read_whole(name):
    raw = json.loads(recorded.layers_json(name), strict=False)
    record = recorded.record(name)
    assert len(record.layers) == len(raw["Layers"])
    assert [tensor.name for tensor in record.io_tensors] == ["x", "y"]
    assert all(tensor.dtype for layer in record.layers for tensor in (*layer.inputs, *layer.outputs))
    assert all(layer.precision is not Precision.UNKNOWN for layer in record.working_layers)
    assert record.passes
    assert record.activation_bytes


@pytest.mark.parametrize(
    ("name", "working", "int8"), [("r50_int8_calib", 106, 4), ("r50_int8_qdq", 76, 71), ("enc_int8_calib", 2, 0)]
)
def test_int8_is_counted_by_what_runs_and_not_by_what_was_asked_for(name, working, int8):
    # A layer that computes in INT8 counts although it writes another dtype: one more than write INT8.
    record = recorded.record(name)
    assert len(record.working_layers) == working
    assert record.precisions.get("int8", 0) == int8


def test_an_int8_build_without_an_int8_layer_is_a_blocker_and_one_with_four_a_warning():
    none, few = (
        engine_findings(recorded.record(name), Precision.INT8, NO_MAP, implicit=True)[0]
        for name in ("enc_int8_calib", "r50_int8_calib")
    )
    assert (none.rule, none.severity) == ("precision-not-reached", Severity.BLOCKER)
    assert "no engine layer runs in it" in none.message
    assert few.rule == "precision-share-low"
    assert "4 of 106 layers run in it" in few.message


def test_of_a_compiled_block_with_qdq_pairs_the_record_does_not_tell_what_runs_inside():
    found = engine_findings(recorded.record("enc_int8_calib"), Precision.INT8, NO_MAP, implicit=False)[0]

    assert (found.rule, found.severity) == ("precision-not-recorded", Severity.WARNING)
    assert "one compiled block holds its nodes" in found.message
    assert "FP16 engine" in found.remedy


def test_metadata_names_a_layers_nodes_and_its_own_name_is_only_read_where_there_is_none():
    record = recorded.record("r50_int8_qdq")
    pooled = next(layer for layer in record.layers if layer.kind == "CaskConvActPool")
    assert pooled.source_names == ("/conv1/Conv", "/relu/Relu", "/maxpool/MaxPool")
    assert not pooled.sources_inferred
    first = record.layers[0]
    assert (first.source_names, first.sources_inferred) == (("x_QuantizeLinear",), True)


def test_tensor_cores_without_fp32_are_told_by_the_tactics_name():
    assert recorded.record("r18_fp32").precisions["tf32"] == 21


def test_dtypes_that_the_inspector_leaves_out_for_dynamic_shapes_come_from_the_log():
    unknown = re.sub(
        r'"Format/Datatype": "[^"]*"',
        '"Format/Datatype": "N/A due to dynamic shapes"',
        recorded.layers_json("r18_int8_qdq"),
    )
    blind = engine_record_from_json(unknown)
    assert blind.precisions["unknown"] > 10
    told = engine_record_from_json(unknown, log=recorded.log("r18_int8_qdq"))
    assert told.precisions == recorded.record("r18_int8_qdq").precisions


def test_the_schema_of_tensorrt_11_is_read_as_well():
    layer = {
        "Name": "conv_myl0_1", "LayerType": "correlation", "TacticName": "kernel",
        "Inputs": [{"Name": "x", "Dimensions": [1, 3], "Format": "kLINEAR", "Datatype": "Half"}],
        "Outputs": [{"Name": "y", "Dimensions": [1, 4], "Format": "kLINEAR", "Datatype": "Half"}],
        "Constants": [], "StreamId": 1, "Metadata": "[ONNX Layer: a]\x1f[ONNX Layer: inner | fn (Fn)]", "New": {},
    }  # fmt: skip
    text = json.dumps({
        "Layers": [layer, "conv2 + relu2 [profile 1]", 7],
        "I/O Tensors": [{"Name": "x", "IOMode": "kINPUT", "DataType": "Half", "Dimensions": [-1, 3]}],
        "Engine Metadata": "",
    })  # fmt: skip
    record = engine_record_from_json(text.replace("\\u001f", "\x1f"))
    assert record.layers[0].precision is Precision.FP16
    assert record.layers[0].source_names == ("a", "fn")
    assert record.layers[0].stream == 1
    assert record.layers[1].source_names == ("conv2", "relu2")
    assert record.layers[1].sources_inferred
    assert (record.io_tensors[0].dtype, record.io_tensors[0].shape) == ("half", (-1, 3))


@pytest.mark.parametrize("text", ["", "[]", "{", '"layers"'])
def test_a_text_that_is_no_record_is_an_error_of_the_backend(text):
    with pytest.raises(BackendError):
        engine_record_from_json(text)


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        ("a + b + c", ("a", "b", "c")),
        ("PWN(a, b) + c", ("a", "b", "c")),
        ("PWN(PWN(a), b + c)", ("a", "b", "c")),
        ("conv [profile 3]", ("conv",)),
        ("{ForeignNode[a...b]}", ()),
        ("Reformatting CopyNode for Input Tensor 0 to a + b", ("b",)),
        ("f(a + b)", ("f(a + b)",)),
    ],
)
def test_names_are_told_from_a_layers_own_name(layer, names):
    assert names_in(layer) == names
