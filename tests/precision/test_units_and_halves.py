"""What a plan decides about, and a quantization taken apart into its halves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from tests import models
from trt_core.domain.precision import Precision, Recipe, TensorRange
from trt_core.onnx_graph.read import read_graph
from trt_core.precision.calibrate import tensors_to_calibrate
from trt_core.precision.halves import without_pairs
from trt_core.precision.normalize import normalize
from trt_core.precision.units import left_high, plan_units, why_none
from trt_core.precision.variant import make_variant


def only_relu(elem_type=TensorProto.FLOAT):
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="relu")
    return models.model([node], [models.value("x", [4], elem_type)], [models.value("y", [4], elem_type)])


SAMPLES = Path(__file__).parents[2] / "samples"
INT8 = Recipe(precision=Precision.INT8, rest=Precision.FP32)


@pytest.fixture(scope="module")
def cnn():
    return onnx.load(SAMPLES / "digits_cnn" / "model.onnx")


@pytest.fixture(scope="module")
def int8(cnn):
    names = tensors_to_calibrate(normalize(cnn), INT8)
    ranges = [TensorRange(tensor=name, low=-1.0, high=1.0, scale=1 / 127) for name in names]
    return make_variant(cnn, INT8, ranges).model


def test_a_unit_is_a_node_with_the_batchnorm_that_was_folded_into_it(cnn):
    graph = read_graph(cnn)

    units = {unit.node: unit for unit in plan_units(normalize(cnn), INT8, graph)}

    stem = units["/stem/conv1/Conv"]
    assert [graph.nodes[index].op_type for index in stem.indices] == ["Conv", "BatchNormalization"]
    assert stem.macs == graph.nodes[0].macs
    assert units["/stage1/block0/Add"].macs == 0


def test_in_fp16_every_floating_node_is_a_unit(cnn):
    units = plan_units(normalize(cnn), Recipe(precision=Precision.FP16), read_graph(cnn))

    assert {"Conv", "Relu", "Add", "Gemm"} <= {unit.op_type for unit in units}


@pytest.mark.parametrize(
    ("model", "precision", "said"),
    [
        (models.mlp(), Precision.INT4, "2 nodes are not quantized: K is not a multiple of 64, the smallest block."),
        (models.conv_block(), Precision.INT4, "1 node is not quantized: INT4 weights are for GEMMs only."),
        (only_relu(), Precision.INT8, "It has no Conv, ConvTranspose, Gemm, MatMul."),
        (only_relu(TensorProto.INT32), Precision.FP16, "None of its nodes computes in FP32."),
    ],
)
def test_a_model_that_a_precision_cannot_lower_tells_every_reason_with_its_count(model, precision, said):
    recipe = Recipe(precision=precision)

    assert plan_units(model, recipe, read_graph(model)) == ()
    assert why_none(model, recipe) == said


def test_a_node_that_fp16_cannot_hold_is_no_unit_and_is_told(cnn):
    planted = onnx.ModelProto()
    planted.CopyFrom(cnn)
    weight = next(item for item in planted.graph.initializer if item.name == planted.graph.node[-1].input[1])
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 1e6, weight.name))
    last, recipe = planted.graph.node[-1].name, Recipe(precision=Precision.FP16)

    units = {unit.node for unit in plan_units(normalize(planted), recipe, read_graph(planted))}

    assert {unit.node for unit in plan_units(normalize(cnn), recipe, read_graph(cnn))} - units == {last}
    assert make_variant(planted, recipe).kept_nodes == (last,)
    assert [(item.rule, item.nodes) for item in left_high(planted, recipe)] == [("weights-outside-fp16", (last,))]
    assert not left_high(cnn, recipe)


@pytest.mark.parametrize("of_weights", [True, False])
def test_one_half_of_the_pairs_goes_and_the_model_stays_valid(int8, of_weights: bool):
    constant = {tensor.name for tensor in int8.graph.initializer}

    half = without_pairs(int8, of_weights=of_weights)

    onnx.checker.check_model(half)
    left = [node.input[0] in constant for node in half.graph.node if node.op_type == "QuantizeLinear"]
    assert left
    assert set(left) == {not of_weights}


def test_products_of_two_activations_are_quantized_only_where_the_recipe_asks_for_them():
    model = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    asked = replace(INT8, attention=True)
    names = tensors_to_calibrate(normalize(model), asked)
    ranges = [TensorRange(tensor=name, low=-1.0, high=1.0, scale=1 / 127) for name in names]
    products = [
        name
        for name in (unit.node for unit in units_of(model, asked))
        if name.endswith(("scores/MatMul", "context/MatMul"))
    ]

    plain, whole = make_variant(model, INT8, ranges), make_variant(model, asked, ranges)

    assert len(products) == 6
    assert set(whole.quantized_nodes) - set(plain.quantized_nodes) == set(products)
    made = {name: node for node in whole.model.graph.node for name in node.output}
    for node in whole.model.graph.node:
        if node.name in products:
            assert [made[name].op_type for name in node.input] == ["DequantizeLinear"] * 2
    assert {unit.node for unit in units_of(model, INT8)}.isdisjoint(products)


def test_int4_has_weights_only_and_takes_no_products():
    model = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    int4 = Recipe(precision=Precision.INT4, rest=Precision.FP32)
    assert units_of(model, replace(int4, attention=True)) == units_of(model, int4)


def units_of(model, recipe):
    return plan_units(normalize(model), recipe, read_graph(model))
