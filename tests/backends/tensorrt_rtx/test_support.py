from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.backends.tensorrt_rtx.conftest import Listener
from trt_core.backends import support
from trt_core.backends.tensorrt_rtx.compiler import RtxCompiler
from trt_core.domain.engine import Sm
from trt_core.domain.support import Evidence, SupportReport
from trt_core.errors import JobCancelled, UnsupportedRequest
from trt_core.onnx_graph.load import load_model
from trt_core.onnx_graph.read import read_graph

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX's wheels are not installed")


def asked(proto, folder, *, target=None, reporter=None) -> SupportReport:
    return asked_file(models.saved(proto, folder / "m.onnx"), target=target, reporter=reporter)


def asked_file(path, *, target=None, reporter=None) -> SupportReport:
    graph = read_graph(load_model(path))
    return RtxCompiler().support(path, graph, target=target, reporter=reporter or Listener())


def network(*nodes, outputs=("y",), inputs=None, initializers=(), opset=17) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes), "g", inputs or [models.value("x", [1, 4])], [models.value(name, None) for name in outputs],
        list(initializers),
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("custom", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def relu(source, target, name):
    return helper.make_node("Relu", [source], [target], name=name)


def custom(source, target, name, op="Nowhere"):
    return helper.make_node(op, [source], [target], name=name, domain="custom")


def wrong_reshape(source, target, name):
    return helper.make_node("Reshape", [source, "shape"], [target], name=name)


SHAPE = numpy_helper.from_array(np.array([3, 5], dtype=np.int64), "shape")


def answers(report: SupportReport) -> dict[str, bool | None]:
    return {node.name: node.supported for node in report.nodes}


def test_a_supported_model_is_one_partition_on_the_parser_s_word(tmp_path):
    report = asked(models.conv_block(), tmp_path)
    assert report.fully_supported
    assert {node.evidence for node in report.nodes} == {Evidence.PARSER}
    assert {node.partition for node in report.nodes} == {0}
    assert (report.backend, report.target, report.build_proved) == ("rtx", "SM 8.6", None)


def test_nodes_beside_a_refused_one_are_proved_by_asking_again(tmp_path):
    proto = network(relu("x", "a", "r1"), custom("a", "b", "c1"), relu("a", "y", "r2"), outputs=("b", "y"))
    report = asked(proto, tmp_path)
    assert answers(report) == {"r1": True, "c1": False, "r2": True}
    assert [node.evidence for node in report.nodes] == [Evidence.SUBGRAPH, Evidence.PARSER, Evidence.SUBGRAPH]
    assert [node.partition for node in report.nodes] == [0, -1, 1]
    assert report.partition_count == 2
    assert report.nodes[1].reason == "Plugin not found, are the plugin name, version, and namespace correct?"
    assert "provide a TensorRT plugin named Nowhere" in report.nodes[1].remedy


@pytest.mark.parametrize("name", ["n" * 5000, "é" * 2048])
def test_a_node_is_not_refused_for_a_name_that_a_build_shortens(tmp_path, name):
    report = asked(network(relu("x", "a", name), relu("a", "y", "r2")), tmp_path)
    assert report.fully_supported
    assert report.nodes[0].name == name
    beside = asked(network(relu("x", "a", name), custom("a", "y", "c1")), tmp_path)
    assert answers(beside) == {name: True, "c1": False}


def test_a_tensor_s_name_that_is_refused_leaves_its_node_open_and_says_so(tmp_path):
    report = asked(network(relu("x", "t" * 4096, "r1"), relu("t" * 4096, "y", "r2")), tmp_path)
    assert answers(report) == {"r1": True, "r2": None}
    assert "more than 4,095 bytes" in report.nodes[1].reason
    assert report.nodes[1].remedy.startswith("Shorten")


def test_what_follows_an_unknown_op_is_open_because_its_shapes_are(tmp_path):
    report = asked(network(relu("x", "a", "r1"), custom("a", "b", "c1"), relu("b", "y", "r2")), tmp_path)
    assert answers(report) == {"r1": True, "c1": False, "r2": None}
    assert "the shape of 'b' is not known" in report.nodes[2].reason


def test_all_static_refusals_and_an_import_failure_behind_them_are_found(tmp_path):
    proto = network(
        relu("x", "a", "r1"), custom("x", "b", "c1"), custom("x", "c", "c2", op="Elsewhere"),
        wrong_reshape("a", "d", "bad"), relu("a", "y", "r2"),
        outputs=("b", "c", "d", "y"), initializers=[SHAPE],
    )  # fmt: skip
    report = asked(proto, tmp_path)
    assert answers(report) == {"r1": True, "c1": False, "c2": False, "bad": False, "r2": True}
    bad = report.nodes[3]
    assert bad.reason == "reshape changes volume. Reshaping [1,4] to [3,5]."
    assert bad.evidence is Evidence.SUBGRAPH


def test_import_failures_are_found_one_by_one(tmp_path):
    nodes = [wrong_reshape("x", f"y{index}", f"bad{index}") for index in range(5)]
    proto = network(
        relu("x", "y", "fine"), *nodes, outputs=("y", *(f"y{index}" for index in range(5))), initializers=[SHAPE]
    )
    report = asked(proto, tmp_path)
    assert answers(report) == {"fine": True, **{f"bad{index}": False for index in range(5)}}


def test_the_number_of_questions_has_a_limit_and_the_rest_stays_open(tmp_path, monkeypatch, listener):
    monkeypatch.setattr(support, "MAX_PARSES", 3)
    nodes = [wrong_reshape("x", f"y{index}", f"bad{index}") for index in range(6)]
    proto = network(*nodes, outputs=[f"y{index}" for index in range(6)], initializers=[SHAPE])
    report = asked(proto, tmp_path, reporter=listener)
    assert list(answers(report).values()) == [False, False, False, None, None, None]
    assert [finding.rule for finding in report.findings] == ["support-not-settled"]
    assert len(listener.seen) == 3


def test_an_input_of_a_refused_dtype_blames_the_nodes_that_read_it(tmp_path):
    inputs = [models.value("x", [1, 4]), models.value("words", [1], TensorProto.STRING)]
    proto = network(
        relu("x", "y", "fine"),
        helper.make_node("Identity", ["words"], ["z"], name="reader"),
        outputs=("y",),
        inputs=inputs,
    )
    proto.graph.output.append(models.value("z", [1], TensorProto.STRING))
    report = asked(proto, tmp_path)
    assert answers(report) == {"fine": True, "reader": False}
    (finding,) = report.findings
    assert (finding.rule, finding.nodes) == ("refused-input", ("reader",))
    assert finding.message == "Input 'words' has dtype string, which TensorRT-RTX does not take."


def test_an_initializer_that_cannot_be_imported_blames_the_nodes_that_read_it(tmp_path):
    weight = helper.make_tensor("u", TensorProto.UINT4, [4], [1, 2, 3, 4])
    scale = numpy_helper.from_array(np.float32(1.0).reshape(()), "s")
    nodes = [
        helper.make_node("DequantizeLinear", ["u", "s"], ["w"], name="dq"),
        helper.make_node("Add", ["x", "w"], ["y"], name="add"),
    ]
    report = asked(network(*nodes, initializers=[weight, scale], opset=21), tmp_path)
    assert answers(report) == {"dq": False, "add": True}
    assert report.findings[0].rule == "refused-initializer"


def test_a_node_inside_a_function_is_named_in_the_reason_of_the_call(tmp_path):
    body = [helper.make_node("Nowhere", ["a"], ["b"], name="inner", domain="custom")]
    function = helper.make_function("custom", "Block", ["a"], ["b"], body, [helper.make_opsetid("custom", 1)])
    proto = network(helper.make_node("Block", ["x"], ["y"], name="call", domain="custom"))
    proto.functions.append(function)
    (call,) = asked(proto, tmp_path).nodes
    assert call.supported is False
    assert call.reason.startswith("Inside it, inner (Nowhere): Plugin not found")


def test_an_op_whose_plugin_is_missing_is_told_apart_from_an_unknown_one(tmp_path):
    proto = network(helper.make_node("NonZero", ["x"], ["y"], name="nz"), outputs=())
    proto.graph.output.append(models.value("y", [2, None], TensorProto.INT64))
    (node,) = asked(proto, tmp_path).nodes
    assert node.supported is False
    assert "plugin that TensorRT's own package may bring" in node.remedy


def test_external_data_are_found_from_the_file_s_own_place(tmp_path):
    path = models.saved_with_data(models.mlp(), tmp_path / "mlp.onnx")
    assert asked_file(path).fully_supported


def test_external_data_are_found_when_the_rest_is_asked_about_too(tmp_path):
    proto = models.mlp()
    proto.graph.node.append(helper.make_node("Nowhere", ["x"], ["z"], name="lost", domain="custom"))
    proto.opset_import.append(helper.make_opsetid("custom", 1))
    proto.graph.output.append(models.value("z", None))
    report = asked_file(models.saved_with_data(proto, tmp_path / "mlp.onnx"))
    assert [node.supported for node in report.nodes] == [True, True, True, False]


def test_asking_stops_when_somebody_says_so(tmp_path):
    proto = network(relu("x", "y", "r1"), custom("x", "b", "c1"), outputs=("b", "y"))
    for checks in (0, 1):
        with pytest.raises(JobCancelled):
            asked(proto, tmp_path, reporter=Listener(checks))


def test_a_target_that_the_library_lacks_is_refused(tmp_path):
    with pytest.raises(UnsupportedRequest, match=r"SM 9\.0 is not among"):
        asked(models.mlp(), tmp_path, target=Sm(major=9, minor=0))
