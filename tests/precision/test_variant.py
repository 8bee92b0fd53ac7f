from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import models
from tests.precision.running import digits, ranges_of, run, sample
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe, TensorRange
from trt_core.errors import InvalidData, NotFound, UnsupportedRequest
from trt_core.precision.normalize import normalize
from trt_core.precision.variant import make_variant, quantizable_nodes

QUANTIZED = (Precision.INT8, Precision.FP8, Precision.INT4)


def flat_ranges(*names: str, amax: float = 4.0) -> list[TensorRange]:
    return [TensorRange(tensor=name, low=-amax, high=amax, scale=amax / 127) for name in names]


def elem_types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in inferred.graph.initializer}


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def dense(op_type: str, shape: tuple[int, ...], weight: tuple[int, ...], **attributes) -> onnx.ModelProto:
    """x -> one weighted node -> y."""
    return models.model(
        [helper.make_node(op_type, ["x", "w"], ["y"], name="node", **attributes)],
        [models.value("x", shape)],
        [models.value("y", None)],
        [models.tensor("w", weight)],
    )


def node_named(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.name == name)


RECIPES = [
    Recipe(precision=precision, rest=rest)
    for precision in (Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16, *QUANTIZED)
    for rest in (Precision.FP16, Precision.BF16, Precision.FP32)
    if precision in QUANTIZED or rest is Precision.FP16
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.precision.value}-{recipe.rest.value}")
@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_variants_of_the_samples_pass_the_checker_and_account_for_every_node(name, recipe):
    model = sample(name)
    variant = make_variant(model, recipe, ranges_of(model, recipe, digits(8)))
    onnx.checker.check_model(variant.model, full_check=True)
    assert [node.name for node in variant.provenance.nodes] == [node.name for node in variant.model.graph.node]
    assert len({node.name for node in variant.model.graph.node}) == len(variant.model.graph.node)
    assert all(node.sources for node in variant.provenance.nodes)
    accounted = {index for node in variant.provenance.nodes if not node.inserted for index in node.sources}
    accounted |= {node.index for node in variant.provenance.removed}
    assert accounted == set(range(len(model.graph.node)))
    for given, made in (
        (model.graph.input, variant.model.graph.input),
        (model.graph.output, variant.model.graph.output),
    ):
        assert list(given) == list(made)


def test_an_fp16_variant_converts_weights_and_casts_at_the_border_only():
    variant = make_variant(models.mlp(), Recipe(precision=Precision.FP16))
    assert [node.op_type for node in variant.model.graph.node] == ["Cast", "Gemm", "Relu", "Gemm", "Cast"]
    types = elem_types(variant.model)
    assert {types[name] for name in ("w1", "b1", "w2", "h", "a")} == {TensorProto.FLOAT16}
    assert (types["x"], types["y"]) == (TensorProto.FLOAT, TensorProto.FLOAT)
    assert variant.kept_nodes == ()


def test_a_kept_node_stays_in_fp32_between_casts():
    recipe = Recipe(precision=Precision.FP16, keep=(KeepRule(node="node_of_a", precision=Precision.FP32),))
    variant = make_variant(models.mlp(), recipe)
    types = elem_types(variant.model)
    assert (types["h"], types["a"]) == (TensorProto.FLOAT16, TensorProto.FLOAT)
    assert variant.kept_nodes == ("node_of_a",)
    assert [node.op_type for node in variant.model.graph.node].count("Cast") == 4


def test_a_rule_about_a_folded_batchnorm_keeps_the_convolution():
    recipe = Recipe(precision=Precision.FP16, keep=(KeepRule(node="norm", precision=Precision.FP32),))
    variant = make_variant(models.conv_block(), recipe)
    assert elem_types(variant.model)["n"] == TensorProto.FLOAT
    assert variant.kept_nodes == ("conv",)


def test_a_rule_about_an_unknown_node_is_refused():
    recipe = Recipe(precision=Precision.FP16, keep=(KeepRule(node="nowhere", precision=Precision.FP32),))
    with pytest.raises(NotFound, match="'nowhere'"):
        make_variant(models.mlp(), recipe)


def test_weights_beyond_the_fp16_range_keep_their_node_in_fp32_and_are_named():
    model = models.mlp()
    big = numpy_helper.to_array(model.graph.initializer[0]).copy()
    big[0, 0] = 70000
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(big, "w1"))
    variant = make_variant(model, Recipe(precision=Precision.FP16))
    (finding,) = [finding for finding in variant.findings if finding.rule == "weights-outside-fp16"]
    assert "w1" in finding.message
    assert finding.nodes == ("first",)
    assert elem_types(variant.model)["w1"] == TensorProto.FLOAT
    assert variant.kept_nodes == ("first",)
    assert not make_variant(model, Recipe(precision=Precision.BF16)).findings


def test_an_epsilon_that_fp16_cannot_hold_stays_with_the_root_after_it():
    epsilon = numpy_helper.from_array(np.asarray(1e-12, np.float32), "epsilon")
    model = models.model(
        [
            helper.make_node("Add", ["x", "epsilon"], ["guarded"], name="guard"),
            helper.make_node("Sqrt", ["guarded"], ["root"], name="root"),
            helper.make_node("Div", ["x", "root"], ["y"], name="divide"),
        ],
        [models.value("x", [4])],
        [models.value("y", [4])],
        [epsilon],
    )
    variant = make_variant(model, Recipe(precision=Precision.FP16))
    assert variant.kept_nodes == ("guard", "root", "divide")
    assert np.isfinite(run(variant.model, {"x": np.zeros(4, np.float32)})["y"]).all()


def test_bodies_stay_in_fp32_with_what_they_read():
    variant = make_variant(models.branching(), Recipe(precision=Precision.FP16))
    onnx.checker.check_model(variant.model, full_check=True)
    types = elem_types(variant.model)
    assert types["h"] == TensorProto.FLOAT
    assert types["w"] == TensorProto.FLOAT
    assert "choice" in variant.kept_nodes


def test_sizes_that_are_computed_in_floating_point_stay_exact():
    two = numpy_helper.from_array(np.asarray([1.5], np.float32), "factor")
    model = models.model(
        [
            helper.make_node("Shape", ["x"], ["size"], name="size"),
            helper.make_node("Cast", ["size"], ["count"], name="count", to=TensorProto.FLOAT),
            helper.make_node("Mul", ["count", "factor"], ["wanted"], name="grow"),
            helper.make_node("Cast", ["wanted"], ["target"], name="target", to=TensorProto.INT64),
            helper.make_node("Expand", ["row", "target"], ["y"], name="expand"),
        ],
        [models.value("x", ["n"])],
        [models.value("y", ["m"])],
        [two, models.tensor("row", (1,))],
    )
    variant = make_variant(model, Recipe(precision=Precision.FP16))
    types = elem_types(variant.model)
    assert (types["count"], types["wanted"]) == (TensorProto.FLOAT, TensorProto.FLOAT)
    assert run(variant.model, {"x": np.zeros(4098, np.float32)})["y"].shape == (6147,)


def test_an_operator_of_an_unknown_domain_is_fed_fp32():
    model = models.model(
        [
            helper.make_node("Relu", ["x"], ["h"], name="before"),
            helper.make_node("Special", ["h"], ["s"], name="special", domain="example"),
            helper.make_node("Relu", ["s"], ["y"], name="after"),
        ],
        [models.value("x", [4])],
        [models.value("y", [4])],
        domains=["example"],
    )
    model.graph.value_info.append(models.value("s", [4]))
    variant = make_variant(model, Recipe(precision=Precision.FP16))
    assert [node.op_type for node in variant.model.graph.node] == [
        "Cast",
        "Relu",
        "Cast",
        "Special",
        "Cast",
        "Relu",
        "Cast",
    ]
    assert "kept-in-fp32" in {finding.rule for finding in variant.findings}


AXES = {
    "Conv": (dense("Conv", (1, 3, 8, 8), (4, 3, 3, 3)), 0, 4),
    "ConvTranspose": (dense("ConvTranspose", (1, 3, 8, 8), (3, 4, 2, 2)), 1, 4),
    "MatMul": (dense("MatMul", (2, 8), (8, 16)), 1, 16),
    "Gemm": (dense("Gemm", (2, 8), (8, 16)), 1, 16),
    "transposed Gemm": (dense("Gemm", (2, 8), (16, 8), transB=1), 0, 16),
}


@pytest.mark.parametrize("case", AXES)
def test_int8_weights_are_quantized_per_output_channel(case):
    model, axis, channels = AXES[case]
    recipe = Recipe(precision=Precision.INT8, rest=Precision.FP32)
    variant = make_variant(model, recipe, flat_ranges("x"))
    values = weights(variant.model)
    quantize = node_named(variant.model, "w_QuantizeLinear")
    assert quantize.attribute[0].i == axis
    assert values["w_scale"].shape == (channels,)
    amax = np.abs(values["w"]).max(axis=tuple(i for i in range(values["w"].ndim) if i != axis))
    np.testing.assert_allclose(values["w_scale"], amax / 127, rtol=1e-6)
    assert list(quantize.input) == ["w", "w_scale", "w_zero_point"]
    assert not values["w_zero_point"].any()
    assert values["x_scale"] == np.float32(4.0 / 127)
    assert variant.model.opset_import[0].version == models.OPSET
    assert variant.quantized_nodes == ("node",)


def test_scales_of_an_fp16_graph_are_fp16_and_never_clip():
    variant = make_variant(AXES["Conv"][0], Recipe(precision=Precision.INT8), flat_ranges("x"))
    types, values = elem_types(variant.model), weights(variant.model)
    assert types["x_scale"] == TensorProto.FLOAT16
    assert float(values["x_scale"]) * 127 >= 4.0
    assert types["w"] == TensorProto.FLOAT
    assert types["w_dequantized"] == TensorProto.FLOAT16
    np.testing.assert_array_equal(values["w_scale"], values["w_scale_float16"].astype(np.float32))
    assert variant.model.opset_import[0].version == 19


def test_a_channel_of_zeros_gets_scale_one():
    model = AXES["MatMul"][0]
    changed = numpy_helper.to_array(model.graph.initializer[0]).copy()
    changed[:, 3] = 0
    zeroed = onnx.ModelProto()
    zeroed.CopyFrom(model)
    zeroed.graph.initializer[0].CopyFrom(numpy_helper.from_array(changed, "w"))
    variant = make_variant(zeroed, Recipe(precision=Precision.INT8), flat_ranges("x"))
    assert weights(variant.model)["w_scale"][3] == 1.0


def test_fp8_scales_are_per_tensor_and_map_to_448():
    variant = make_variant(AXES["Conv"][0], Recipe(precision=Precision.FP8, rest=Precision.FP32), flat_ranges("x"))
    values = weights(variant.model)
    assert values["x_scale"] == np.float32(4 / 448)
    assert values["w_scale"].shape == ()
    assert elem_types(variant.model)["x_quantized"] == TensorProto.FLOAT8E4M3FN


@pytest.mark.parametrize(("k", "block"), [(256, 128), (192, 64)])
def test_int4_weights_come_in_blocks_along_k(k, block):
    variant = make_variant(dense("MatMul", (2, k), (k, 16)), Recipe(precision=Precision.INT4))
    values = weights(variant.model)
    dequantize = node_named(variant.model, "w_DequantizeLinear")
    assert {item.name: item.i for item in dequantize.attribute} == {"axis": 0, "block_size": block}
    assert values["w_scale"].shape == (k // block, 16)
    assert "w" not in values
    assert np.abs(values["w_quantized"].astype(np.int8)).max() == 7
    assert [node.op_type for node in variant.model.graph.node].count("QuantizeLinear") == 0


def test_the_skip_input_of_an_add_after_a_convolution_is_quantized():
    model = sample("digits_cnn")
    recipe = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    made = make_variant(model, recipe, ranges_of(model, recipe, digits(8))).model
    for block in ("stage1/block0", "stage2/block0", "stage2/block1", "stage3/block0"):
        inputs = node_named(made, f"/{block}/Add").input
        assert [name.endswith("_dequantized") for name in inputs] == [False, True], block
    pairs = [node for node in made.graph.node if node.op_type == "QuantizeLinear"]
    assert len(pairs) == len({node.input[0] for node in pairs})


@pytest.mark.parametrize("kept", ["conv2/Conv", "downsample/Conv"])
def test_either_convolution_before_an_add_can_be_kept_with_the_ranges_of_the_plain_variant(kept):
    model = sample("digits_cnn")
    recipe = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    rule = KeepRule(node=f"/stage2/block0/{kept}", precision=Precision.FP16)
    ranges = ranges_of(model, recipe, digits(8))

    made = make_variant(model, replace(recipe, keep=(rule,)), ranges).model

    skips = [name.endswith("_dequantized") for name in node_named(made, "/stage2/block0/Add").input]
    assert skips == [False, kept == "downsample/Conv"]


def test_refusals_say_why():
    depthwise = dense("Conv", (1, 8, 8, 8), (8, 1, 3, 3), group=8)
    attention = models.model(
        [helper.make_node("MatMul", ["x", "x"], ["y"], name="scores")],
        [models.value("x", [4, 4])],
        [models.value("y", [4, 4])],
    )
    convolution = dense("Conv", (1, 3, 8, 8), (4, 3, 3, 3))
    for model, precision, words in (
        (depthwise, Precision.INT8, "depthwise"),
        (attention, Precision.INT8, "both operands of MatMul are activations"),
        (convolution, Precision.INT4, "INT4 weights are for GEMMs only"),
        (dense("MatMul", (2, 40), (40, 8)), Precision.INT4, "not a multiple of 64"),
    ):
        variant = make_variant(model, Recipe(precision=precision))
        assert words in " ".join(finding.message for finding in variant.findings)
        assert "nothing-quantized" in {finding.rule for finding in variant.findings}
        assert variant.kept_nodes == (model.graph.node[0].name,)


def test_missing_ranges_are_named():
    with pytest.raises(InvalidData, match="'x'"):
        make_variant(AXES["Conv"][0], Recipe(precision=Precision.INT8))


def test_a_kept_node_is_not_quantized():
    model = models.mlp()
    recipe = Recipe(precision=Precision.INT8, keep=(KeepRule(node="first", precision=Precision.FP16),))
    variant = make_variant(model, recipe, flat_ranges("x", "a"))
    assert variant.quantized_nodes == ("second",)
    assert variant.kept_nodes == ("first",)
    assert list(node_named(variant.model, "first").input)[1] == "w1"


def test_one_node_can_be_fp16_in_an_fp32_rest():
    model = models.mlp()
    keep = (KeepRule(node="first", precision=Precision.FP16),)
    recipe = Recipe(precision=Precision.INT8, rest=Precision.FP32, keep=keep)
    types = elem_types(make_variant(model, recipe, flat_ranges("x", "a")).model)
    assert types["h"] == TensorProto.FLOAT16
    assert types["a"] == TensorProto.FLOAT


def test_quantizable_nodes_are_listed_by_their_original_names():
    recipe = Recipe(precision=Precision.INT8)
    assert quantizable_nodes(models.mlp(), recipe) == ("first", "second")
    assert len(quantizable_nodes(sample("digits_cnn"), recipe)) == 12


def test_a_caller_may_normalize_once_for_many_variants():
    model = sample("digits_cnn")
    normalized = normalize(model)
    recipe = Recipe(precision=Precision.FP16)
    first = make_variant(model, recipe, normalized=normalized).model.SerializeToString(deterministic=True)
    second = make_variant(model, recipe, normalized=normalized).model.SerializeToString(deterministic=True)
    assert first == second == make_variant(model, recipe).model.SerializeToString(deterministic=True)


def test_without_normalization_the_nodes_stay_as_they_are():
    variant = make_variant(models.conv_block(), Recipe(precision=Precision.FP16, normalize=False))
    names = [
        node.name
        for node, origin in zip(variant.model.graph.node, variant.provenance.nodes, strict=True)
        if not origin.inserted
    ]
    assert names == ["conv", "norm", "act"]


def test_axes_of_reductions_become_inputs_where_the_opset_rises():
    model = models.model(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
            helper.make_node("ReduceMean", ["h"], ["y"], name="mean", axes=[1], keepdims=0),
        ],
        [models.value("x", [2, 8])],
        [models.value("y", [2])],
        [models.tensor("w", (8, 16))],
    )
    variant = make_variant(model, Recipe(precision=Precision.FP8), flat_ranges("x"))
    onnx.checker.check_model(variant.model, full_check=True)
    assert list(node_named(variant.model, "mean").input) == ["h", "y_axes"]


def test_an_old_opset_is_raised_by_the_converter_and_every_node_is_accounted_for():
    model = models.model(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="product"),
            helper.make_node("Unsqueeze", ["h"], ["u"], name="expand", axes=[0]),
            helper.make_node("Softmax", ["u"], ["y"], name="softmax", axis=2),
        ],
        [models.value("x", [2, 8])],
        [models.value("y", [1, 2, 4])],
        [models.tensor("w", (8, 4)), models.tensor("b", (4,))],
        opset=11,
    )
    variant = make_variant(model, Recipe(precision=Precision.INT8), flat_ranges("x"))
    onnx.checker.check_model(variant.model, full_check=True)
    accounted = {index for node in variant.provenance.nodes if not node.inserted for index in node.sources}
    assert accounted == {0, 1, 2}


def test_a_body_that_the_converter_would_leave_behind_is_a_clear_refusal():
    model = models.branching()
    branch = model.graph.node[1].attribute[0].g
    branch.node.append(helper.make_node("ReduceMax", [branch.output[0].name], ["m"], axes=[0]))
    branch.output[0].name = "m"
    with pytest.raises(UnsupportedRequest, match=r"opset 17 cannot be raised to 19.*'choice'"):
        make_variant(model, Recipe(precision=Precision.FP8))


def test_a_cast_that_serves_two_nodes_names_both():
    model = models.model(
        [helper.make_node(op_type, ["x"], [op_type], name=op_type) for op_type in ("Relu", "Sigmoid")],
        [models.value("x", [4])],
        [models.value("Relu", [4]), models.value("Sigmoid", [4])],
    )
    nodes = make_variant(model, Recipe(precision=Precision.FP16)).provenance.nodes
    assert [node.sources for node in nodes if node.name == "x_float16_Cast"] == [(0, 1)]


def test_weights_that_were_converted_for_one_variant_serve_the_next_and_change_nothing():
    from trt_core.precision.float_types import Conversions

    model, known = sample("digits_cnn"), Conversions()
    half, kept = Recipe(precision=Precision.FP16), KeepRule(node="/stem/conv1/Conv", precision=Precision.FP32)
    normalized = normalize(model)
    first = make_variant(model, half, normalized=normalized, conversions=known).model
    held = len(known.held)
    second = make_variant(model, replace(half, keep=(kept,)), normalized=normalized, conversions=known).model

    assert held == len(known.held) > 10
    assert first.SerializeToString() == make_variant(model, half).model.SerializeToString()
    assert second.SerializeToString() == make_variant(model, replace(half, keep=(kept,))).model.SerializeToString()
