from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.light_models import light_model
from trt_core.domain.graph import Graph, Node
from trt_core.onnx_graph.load import check_model, load_model
from trt_core.onnx_graph.read import describe_model, node_name, read_graph

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*/*.onnx"))


def only_node(model: onnx.ModelProto) -> Node:
    return read_graph(model).nodes[-1]


def test_an_unnamed_node_is_called_after_its_first_output():
    assert [node.name for node in read_graph(models.mlp()).nodes] == ["first", "node_of_a", "second"]
    assert node_name(helper.make_node("Split", ["x"], ["", "b"])) == "node_of_b"


def test_symbols_are_kept_and_inner_tensors_typed():
    graph = read_graph(models.mlp())

    assert graph.inputs[0].shape == ("batch", 8)
    assert graph.tensors["h"].shape == ("batch", 16)
    assert graph.tensors["w1"].dtype == "float32"
    assert graph.initializers == {"w1", "b1", "w2"}


def test_edges_leave_initializers_and_inputs_out():
    assert read_graph(models.mlp()).edges == ((0, 1, "h"), (1, 2, "a"))


def test_initializers_that_are_listed_as_inputs_are_no_inputs():
    model = models.mlp()
    model.ir_version = 3
    model.graph.input.extend(models.value(item.name, list(item.dims)) for item in model.graph.initializer)
    check_model(model)

    assert [spec.name for spec in read_graph(model).inputs] == ["x"]


def test_dimensions_that_inference_invents_are_unknown_and_not_symbols():
    nodes = [helper.make_node("NonZero", ["x"], ["y"])]
    model = models.model(nodes, [models.value("x", [4])], [models.value("y", [1, None], TensorProto.INT64)])

    assert read_graph(model).tensors["y"].shape == (1, None)


def test_large_weights_do_not_change_what_is_inferred():
    small = models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], [models.value("x", ["b", 4])], [models.value("y", ["b", 3])]
    )
    small.graph.initializer.append(models.tensor("w", (4, 3)))
    large = models.model(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        [models.value("x", ["b", 400])],
        [models.value("y", ["b", 300])],
        [models.tensor("w", (400, 300))],
    )

    assert read_graph(small).tensors["w"].shape == (4, 3)
    graph = read_graph(large)
    assert graph.tensors["h"].shape == ("b", 300)
    assert graph.tensors["w"].shape == (400, 300)
    assert [spec.name for spec in graph.inputs] == ["x"]


def test_a_large_constant_node_is_typed_and_counted_as_parameters():
    constant = helper.make_node("Constant", [], ["w"], value=models.tensor("value", (64, 64)))
    model = models.model(
        [constant, helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        [models.value("x", ["b", 64])],
        [models.value("y", None)],
    )
    graph = read_graph(model)

    assert graph.tensors["w"].shape == (64, 64)
    assert graph.tensors["y"].shape == ("b", 64)
    assert [node.op_type for node in graph.nodes] == ["Constant", "MatMul"]
    assert describe_model(model, graph).parameters == 4096


def test_shapes_that_follow_from_computed_shapes_are_found():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "zero1"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0), "zero"),
        numpy_helper.from_array(np.array([0]), "zero1"),
        numpy_helper.from_array(np.array([2, 3]), "rest"),
    ]
    model = models.model(nodes, [models.value("x", ["batch", 6])], [models.value("y", None)], constants)

    assert read_graph(model).outputs[0].shape == ("batch", 2, 3)


def test_nodes_inside_branches_are_counted():
    assert [node.subgraph_nodes for node in read_graph(models.branching()).nodes] == [0, 2, 0]


def test_an_unknown_op_leaves_a_finding_and_no_type():
    nodes = [
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("Mystery", ["h"], ["m"], name="odd", domain="com.example"),
        helper.make_node("EfficientNMS_TRT", ["m"], ["y"], name="nms"),
    ]
    model = models.model(nodes, [models.value("x", [2])], [models.value("y", [2])], domains=["com.example"])
    graph = read_graph(model)
    (finding,) = describe_model(model, graph).findings

    assert "m" not in graph.tensors
    assert finding.rule == "shapes-not-inferred"
    assert finding.nodes == ("odd",)
    assert graph.op_histogram["com.example::Mystery"] == 1


def test_a_vector_of_a_billion_elements_costs_nothing_to_infer():
    nodes = [
        helper.make_node("Add", ["x", "x"], ["h"]),
        helper.make_node("ConstantOfShape", ["length"], ["ones"]),
        helper.make_node("Mul", ["h", "ones"], ["y"]),
    ]
    length = numpy_helper.from_array(np.array([1 << 30]), "length")
    for size in (1 << 30, "n"):
        model = models.model(nodes, [models.value("x", [size])], [models.value("y", None)], [length])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        assert read_graph(model).tensors["ones"].shape == (1 << 30,)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_contradicting_shapes_are_no_error():
    model = models.mlp()
    model.graph.value_info.append(models.value("h", ["batch", 99]))

    assert len(read_graph(model).nodes) == 3


def test_other_types_than_tensors_are_said_so():
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    node = helper.make_node("SequenceConstruct", ["x"], ["s"])

    assert read_graph(models.model([node], [models.value("x", [2])], [sequence])).outputs[0].dtype == "sequence"


def test_attributes_are_short_readable_text():
    node = helper.make_node(
        "Thing", ["x"], ["y"], domain="d", kernel=[3, 3], alpha=0.5, mode="linear", axis=1, many=list(range(100)),
        long="é" * 500, table=models.tensor("t", (4, 5)), few=numpy_helper.from_array(np.array([1.5, 2.0])),
        words=["a", "b"], body=models.mlp().graph,
    )  # fmt: skip
    node.attribute.add(name="bytes", type=onnx.AttributeProto.STRING, s=b"\xff\xfe")
    texts = dict(
        only_node(models.model([node], [models.value("x", [1])], [models.value("y", [1])], domains=["d"])).attributes
    )

    assert texts["kernel"] == "3, 3"
    assert texts["alpha"] == "0.5"
    assert texts["mode"] == "linear"
    assert texts["axis"] == "1"
    assert texts["many"].endswith("14, 15, …")
    assert len(texts["long"]) == 120
    assert texts["table"] == "float32 4 × 5"
    assert texts["few"] == "float64 2: 1.5, 2"
    assert texts["words"] == "a, b"
    assert texts["body"] == "graph of 3 nodes"
    assert texts["bytes"] == "��"


def test_hostile_names_are_read_as_they_are():
    name = "![](http://x) <img onerror=x> $a$ \u202e" + "n" * 5000
    model = models.model(
        [helper.make_node("Relu", ["x"], [name], name=name)], [models.value("x", [1])], [models.value(name, [1])]
    )

    assert only_node(model).name == name
    assert name in read_graph(model).tensors


def test_facts_of_a_small_network():
    model = models.mlp()
    model.producer_name, model.producer_version = "pytorch", "2.9"
    facts = describe_model(model, read_graph(model))

    assert (facts.opset, facts.ir_version, facts.producer) == (17, 8, "pytorch 2.9")
    assert facts.parameters == 8 * 16 + 16 + 4 * 16
    assert facts.macs == 8 * 16 + 16 * 4
    assert facts.op_histogram == {"Gemm": 2, "Relu": 1}
    assert facts.findings == ()


def macs_of(
    op: str, shapes: list[list[int | str]], output: list[int | str], opset: int = 17, **attributes: object
) -> int | None:
    names = [f"i{index}" for index in range(len(shapes))]
    node = helper.make_node(op, names, ["y"], **attributes)
    inputs = [models.value(name, shape) for name, shape in zip(names, shapes, strict=True)]
    return only_node(models.model([node], inputs, [models.value("y", output)], opset=opset)).macs


def test_macs_of_convolutions():
    assert macs_of("Conv", [[1, 3, 8, 8], [4, 3, 3, 3]], [1, 4, 6, 6]) == 4 * 6 * 6 * 27
    assert macs_of("Conv", [[1, 4, 8, 8], [4, 1, 3, 3]], [1, 4, 6, 6], group=4) == 4 * 6 * 6 * 9
    assert macs_of("ConvTranspose", [[1, 3, 4, 4], [3, 5, 2, 2]], [1, 5, 8, 8], strides=[2, 2]) == 3 * 16 * 5 * 4


def test_macs_of_matrix_products():
    assert macs_of("Gemm", [[2, 8], [8, 4]], [2, 4]) == 2 * 8 * 4
    assert macs_of("Gemm", [[8, 2], [4, 8]], [2, 4], transA=1, transB=1) == 2 * 8 * 4
    assert macs_of("MatMul", [[2, 5, 6, 7], [7, 3]], [2, 5, 6, 3]) == 2 * 5 * 6 * 3 * 7
    assert macs_of("MatMul", [[7], [7]], []) == 7
    assert macs_of("Einsum", [[2, 3, 4], [2, 4, 5]], [2, 3, 5], equation="bij,bjk->bik") == 2 * 3 * 4 * 5
    assert macs_of("Einsum", [[2, 3]], [3, 2], equation="ij->ji") is None


def test_macs_of_recurrent_layers_and_attention():
    assert macs_of("LSTM", [[7, 2, 3], [1, 20, 3], [1, 20, 5]], [7, 1, 2, 5], hidden_size=5) == 7 * 2 * (60 + 100)
    assert (
        macs_of("GRU", [[7, 2, 3], [2, 15, 3], [2, 15, 5]], [7, 2, 2, 5], hidden_size=5, direction="bidirectional")
        == 7 * 2 * 2 * 120
    )
    four = [[2, 8, 10, 16], [2, 4, 12, 16], [2, 4, 12, 6]]
    assert macs_of("Attention", four, [2, 8, 10, 6], opset=23) == 2 * 8 * 10 * 12 * (16 + 6)
    three = [[2, 10, 128], [2, 12, 64], [2, 12, 24]]
    assert macs_of("Attention", three, [2, 10, 48], opset=23, q_num_heads=8, kv_num_heads=4) == 2 * 8 * 10 * 12 * (
        16 + 6
    )


def test_macs_take_symbols_as_one_even_where_a_reshape_hides_them():
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"], name="product"),
    ]
    flat = numpy_helper.from_array(np.array([-1, 8]), "flat")
    model = models.model(
        nodes, [models.value("x", ["b", 10, 8])], [models.value("y", None)], [flat, models.tensor("w", (8, 2))]
    )

    assert only_node(model).macs == 10 * 8 * 2


def test_an_op_without_macs_and_one_of_unknown_shape_have_none():
    assert macs_of("Relu", [[4]], [4]) is None
    unranked = models.model(
        [helper.make_node("Mystery", ["x"], ["h"], domain="d"), helper.make_node("MatMul", ["h", "h"], ["y"])],
        [models.value("x", [4])],
        [models.value("y", None)],
        domains=["d"],
    )
    assert only_node(unranked).macs is None


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_every_sample_is_read(path: Path):
    model = load_model(path)
    check_model(model)
    graph = read_graph(model)

    assert len(graph.nodes) == len(model.graph.node)
    assert all(spec.shape is not None for spec in (*graph.inputs, *graph.outputs))
    assert describe_model(model, graph).parameters > 0


# Figures of the papers, or of torchvision and the usual counters, for one 224 x 224 image.
@pytest.mark.parametrize(("name", "gigamacs", "millions"), [("resnet50", 4.09, 25.6), ("squeezenet", 0.35, 1.24)])
def test_real_topologies_have_the_published_macs_and_parameters(name: str, gigamacs: float, millions: float):
    model = light_model(name)
    check_model(model)
    facts = describe_model(model, read_graph(model))

    assert facts.macs / 1e9 == pytest.approx(gigamacs, rel=0.02)
    assert facts.parameters / 1e6 == pytest.approx(millions, rel=0.02)
    assert facts.findings == ()


@pytest.mark.serial
def test_five_thousand_nodes_are_read_in_half_a_second():
    model = models.chain(5000)
    read_graph(models.mlp())  # onnx itself takes a while to import

    began = time.process_time()
    graph: Graph = read_graph(model)

    assert time.process_time() - began < 0.5
    assert len(graph.tensors) == 5002
