from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.precision.running import digits, run, sample
from trt_core.precision.normalize import normalize


def constant(name: str, values: object, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def with_batchnorm(node: onnx.NodeProto, shape: list[int], weights: list[onnx.TensorProto], channels: int):
    """x -> `node` -> BatchNormalization -> y, with statistics far from the identity."""
    generator = np.random.default_rng(7)
    statistics = [
        constant("scale", generator.uniform(0.5, 2, channels)),
        constant("shift", generator.normal(0, 1, channels)),
        constant("mean", generator.normal(0, 1, channels)),
        constant("variance", generator.uniform(0.1, 3, channels)),
    ]
    norm = helper.make_node(
        "BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["y"], name="norm", epsilon=1e-3
    )
    return models.model([node, norm], [models.value("x", shape)], [models.value("y", None)], [*weights, *statistics])


FOLDABLE = {
    "Conv": ("Conv", {}, [2, 3, 5, 5], (4, 3, 3, 3), (4,), 4),
    "Conv without bias": ("Conv", {}, [2, 3, 5, 5], (4, 3, 3, 3), None, 4),
    "grouped Conv": ("Conv", {"group": 2}, [2, 4, 5, 5], (6, 2, 3, 3), (6,), 6),
    "ConvTranspose": ("ConvTranspose", {}, [2, 3, 5, 5], (3, 4, 2, 2), (4,), 4),
    "grouped ConvTranspose": ("ConvTranspose", {"group": 2}, [2, 4, 5, 5], (4, 3, 2, 2), None, 6),
    "Gemm": ("Gemm", {"alpha": 0.5, "beta": 2.0}, [2, 3], (3, 4), (4,), 4),
    "transposed Gemm": ("Gemm", {"transB": 1}, [2, 3], (4, 3), None, 4),
    "Gemm with a scalar bias": ("Gemm", {"beta": 3.0}, [2, 3], (3, 4), (1,), 4),
}


@pytest.mark.parametrize("case", FOLDABLE)
def test_a_folded_batchnorm_computes_the_same(case):
    op_type, attributes, shape, weight, bias, channels = FOLDABLE[case]
    inputs = ["x", "w"] + (["b"] if bias else [])
    weights = [models.tensor("w", weight)] + ([models.tensor("b", bias, seed=1)] if bias else [])
    model = with_batchnorm(
        helper.make_node(op_type, inputs, ["c"], name="main", **attributes), shape, weights, channels
    )
    feeds = {"x": np.random.default_rng(3).standard_normal(shape, dtype=np.float32)}

    normalized = normalize(model)

    assert [node.op_type for node in normalized.model.graph.node] == [op_type]
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(normalized.model), full_check=True)
    expected, result = run(model, feeds)["y"], run(normalized.model, feeds)["y"]
    assert np.abs(expected - result).max() <= 1e-5 * np.abs(expected).max()
    (removed,) = normalized.provenance.removed
    assert (removed.index, removed.by, removed.into) == (1, "batchnorm folding", 0)
    assert normalized.provenance.nodes[0].sources == (0,)


def test_a_batchnorm_stays_where_its_input_has_another_reader():
    model = models.conv_block()
    model.graph.output.append(models.value("c", None))
    assert [node.op_type for node in normalize(model).model.graph.node] == ["Conv", "BatchNormalization", "Relu"]


def test_shared_weights_are_copied_before_they_are_folded():
    model = models.conv_block()
    model.graph.node.append(helper.make_node("Conv", ["image", "w"], ["plain"], name="other", pads=[1, 1, 1, 1]))
    model.graph.output.append(models.value("plain", ["batch", 4, 8, 8]))
    feeds = {"image": np.random.default_rng(0).standard_normal((2, 3, 8, 8), dtype=np.float32)}
    expected, result = run(model, feeds), run(normalize(model).model, feeds)
    np.testing.assert_array_equal(expected["plain"], result["plain"])
    np.testing.assert_allclose(expected["y"], result["y"], rtol=1e-4, atol=1e-5)


def test_the_given_model_is_not_changed():
    model = models.conv_block()
    before = model.SerializeToString(deterministic=True)
    _ = normalize(model).model
    assert model.SerializeToString(deterministic=True) == before


def test_folding_the_cnn_moves_its_logits_by_less_than_a_ten_thousandth():
    model, feeds = sample("digits_cnn"), digits(16)
    normalized = normalize(model)
    expected, result = run(model, feeds)["logits"], run(normalized.model, feeds)["logits"]
    assert np.abs(expected - result).max() <= 1e-4 * np.abs(expected).max()
    assert len(normalized.provenance.removed) == 11
    assert [(step.name, step.before, step.after) for step in normalized.steps][2] == ("batchnorm folding", 38, 27)


def test_every_original_node_is_a_source_or_removed():
    for model in (sample("digits_cnn"), sample("digits_transformer"), models.branching(), models.mlp()):
        provenance = normalize(model).provenance
        accounted = {index for node in provenance.nodes for index in node.sources}
        accounted |= {node.index for node in provenance.removed}
        assert accounted == set(range(len(model.graph.node)))


def test_constants_identities_and_dead_nodes_go_and_results_stay():
    model = models.model(
        [
            helper.make_node("Constant", [], ["two"], value=constant("", 2.0), name="two"),
            helper.make_node("Add", ["two", "one"], ["three"], name="sum"),
            helper.make_node("Identity", ["x"], ["same"], name="pass"),
            helper.make_node("Dropout", ["same"], ["kept"], name="drop"),
            helper.make_node("Mul", ["kept", "three"], ["y"], name="scale"),
            helper.make_node("Exp", ["x"], ["unread"], name="dead"),
        ],
        [models.value("x", [4])],
        [models.value("y", [4])],
        [constant("one", 1.0)],
    )
    normalized = normalize(model)
    assert [node.name for node in normalized.model.graph.node] == ["scale"]
    assert {node.index: (node.by, node.into) for node in normalized.provenance.removed} == {
        0: ("constant folding", None),
        1: ("constant folding", 4),
        2: ("identity removal", None),
        3: ("identity removal", None),
        5: ("dead code", None),
    }
    np.testing.assert_array_equal(run(normalized.model, {"x": np.ones(4, np.float32)})["y"], np.full(4, 3.0))


def test_a_transposed_weight_becomes_a_weight():
    model = models.model(
        [
            helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0], name="turn"),
            helper.make_node("MatMul", ["x", "wt"], ["y"], name="product"),
        ],
        [models.value("x", [2, 8])],
        [models.value("y", [2, 3])],
        [models.tensor("w", (3, 8))],
    )
    normalized = normalize(model).model
    assert [tensor.name for tensor in normalized.graph.initializer] == ["wt"]
    feeds = {"x": np.ones((2, 8), np.float32)}
    np.testing.assert_array_equal(run(model, feeds)["y"], run(normalized, feeds)["y"])


def test_a_constant_that_would_be_large_is_left_to_the_compiler():
    model = models.model(
        [
            helper.make_node("Expand", ["one", "shape"], ["huge"], name="grow"),
            helper.make_node("ReduceSum", ["huge"], ["total"], name="sum", keepdims=0),
            helper.make_node("Add", ["x", "total"], ["y"], name="add"),
        ],
        [models.value("x", [4])],
        [models.value("y", [4])],
        [constant("one", [1.0]), constant("shape", [1 << 40], np.int64)],
    )
    assert [node.name for node in normalize(model).model.graph.node] == ["grow", "sum", "add"]


def test_what_a_branch_reads_keeps_its_name():
    model = models.branching()
    model.graph.node[0].op_type = "Identity"
    assert [node.op_type for node in normalize(model).model.graph.node] == ["Identity", "If", "Neg"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["", "", "x"], ["node_of_t0", "node_of_t1", "x"]),
        (["a]b|c\nd"], ["a_b_c_d"]),
    ],
)
def test_node_names_become_unique_and_safe(given, expected):
    nodes = [
        helper.make_node("Relu", [f"t{position - 1}" if position else "x"], [f"t{position}"], name=name)
        for position, name in enumerate(given)
    ]
    model = models.model(nodes, [models.value("x", [4])], [models.value(f"t{len(given) - 1}", [4])])
    assert [node.name for node in normalize(model).model.graph.node] == expected


def test_long_names_are_cut_and_stay_apart():
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"], name="n" * 5000 + str(i)) for i in range(2)]
    model = models.model(nodes, [models.value("t0", [4])], [models.value("t2", [4])])
    names = [node.name for node in normalize(model).model.graph.node]
    assert len(set(names)) == 2
    assert all(len(name) < 1000 for name in names)


def test_nodes_in_the_wrong_order_come_into_order_and_keep_their_index():
    model = models.mlp()
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    normalized = normalize(model)
    assert [node.name for node in normalized.model.graph.node] == ["first", "node_of_a", "second"]
    assert [node.sources for node in normalized.provenance.nodes] == [(2,), (1,), (0,)]


def test_a_batchnorm_in_training_mode_stays():
    model = models.conv_block()
    model.graph.node[1].attribute.append(helper.make_attribute("training_mode", 1))
    model.graph.node[1].output.extend(["running_mean", "running_variance"])
    assert model.graph.node[1].op_type in [node.op_type for node in normalize(model).model.graph.node]


def test_an_fp16_convolution_is_folded_in_fp16():
    model = models.conv_block()
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    folded = normalize(model).model
    assert len(folded.graph.node) == 2
    assert {tensor.data_type for tensor in folded.graph.initializer} == {TensorProto.FLOAT16}


def reduced(nodes: list[onnx.NodeProto], last: str, weights: list[onnx.TensorProto]) -> onnx.ModelProto:
    """y = x + the largest value of a constant that `nodes` make."""
    tail = [
        helper.make_node("ReduceMax", [last], ["most"], name="most", keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"], name="add"),
    ]
    return models.model([*nodes, *tail], [models.value("x", [1])], [models.value("y", [1])], weights)


def test_a_chain_that_doubles_a_constant_again_and_again_ends_at_a_limit():
    nodes = [helper.make_node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], name=f"n{i}", axis=0) for i in range(27)]
    draft = normalize(reduced(nodes, "c27", [constant("c0", [1.0])])).draft
    assert sum(weight.size * 4 for weight in draft.weights.values()) <= 64 << 20
    assert any(node.proto.op_type == "Concat" for node in draft.nodes)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Add", ["column", "row"], ["m"], name="outer"),
        helper.make_node("MatMul", ["column", "row"], ["m"], name="outer"),
        helper.make_node("Gather", ["row", "many"], ["m"], name="outer"),
    ],
)
def test_two_short_constants_that_make_a_huge_one_are_not_multiplied_out(node, monkeypatch):
    column, row = constant("column", np.ones((30_000, 1))), constant("row", np.ones((1, 30_000)))
    model = reduced([node], "m", [column, row, constant("many", np.zeros(30_000), np.int64)])
    monkeypatch.setattr(onnx.reference.ReferenceEvaluator, "run", lambda *_: pytest.fail("it was evaluated"))
    assert normalize(model).draft.nodes[0].proto.op_type == node.op_type


def test_a_constant_pooling_is_left_to_the_compiler():
    pool = helper.make_node("MaxPool", ["c"], ["m"], name="pool", kernel_shape=[64, 64])
    draft = normalize(reduced([pool], "m", [constant("c", np.ones((1, 1, 512, 512)))])).draft
    assert draft.nodes[0].proto.op_type == "MaxPool"


def test_thousands_of_nodes_that_share_a_name_are_told_apart_in_linear_time():
    model = models.chain(20_000)
    for node in model.graph.node:
        node.name = "same"
    began = time.process_time()
    names = [node.proto.name for node in normalize(model).draft.nodes]
    assert len(set(names)) == 20_000
    assert names[-1] == "same_20000"
    assert time.process_time() - began < 15
