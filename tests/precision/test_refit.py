"""Scales that are taken anew, and what a file says of its own precision."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import Precision, Recipe, TensorRange
from trt_core.precision.own_precision import own_precision, with_float_inputs
from trt_core.precision.refit import refitted, scale_changes, scaled_activations
from trt_core.precision.variant import make_variant

WEIGHT = np.linspace(-2.0, 2.0, 32, dtype=np.float32).reshape(8, 4)
RANGE = TensorRange(tensor="x", low=-1.0, high=3.0, scale=3.0 / 127)
SEEN = {"x": (-1.0, 3.0)}


def matmul() -> onnx.ModelProto:
    """y = x W."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(WEIGHT, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def quantized(
    *, scale: float, zero: int, dtype: type[np.integer], stored: bool, weight_scale: float = 2.0 / 127
) -> onnx.ModelProto:
    """The same with a pair at x, and at W either a pair or the stored steps with a DequantizeLinear."""
    made = matmul()
    graph = made.graph
    del graph.node[:]
    steps = np.clip(np.round(WEIGHT / np.float32(2.0 / 127)), -127, 127).astype(np.int8)
    arrays = {
        "s": np.float32(scale),
        "z": np.asarray(zero, dtype),
        "ws": np.float32(weight_scale),
        "wz": np.int8(0),
        "wq": steps,
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items())
    nodes = [("QuantizeLinear", ["x", "s", "z"], "xq"), ("DequantizeLinear", ["xq", "s", "z"], "xd")]
    if stored:
        nodes += [("DequantizeLinear", ["wq", "ws"], "wd")]
    else:
        nodes += [("QuantizeLinear", ["w", "ws", "wz"], "wp"), ("DequantizeLinear", ["wp", "ws", "wz"], "wd")]
    graph.node.extend(helper.make_node(op, names, [out], name=out) for op, names, out in nodes)
    graph.node.append(helper.make_node("MatMul", ["xd", "wd"], ["y"], name="product"))
    return made


def answers(model: onnx.ModelProto, tmp_path) -> np.ndarray:
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    feeds = {"x": np.linspace(-1.0, 3.0, 64, dtype=np.float32).reshape(8, 8)}
    return OrtRunner().load(path, optimize=False).run(feeds)[0]


@pytest.mark.parametrize("stored", [False, True], ids=["pair", "stored steps"])
@pytest.mark.parametrize(
    "fault",
    [
        {"scale": 1.0, "zero": 0, "dtype": np.int8},
        {"scale": 0.0005, "zero": 0, "dtype": np.int8},
        {"scale": 4.0 / 255, "zero": 255, "dtype": np.uint8},
        {"scale": 3.0 / 127, "zero": 0, "dtype": np.int8, "weight_scale": 0.5},
    ],
    ids=["coarse", "clips", "zero point", "weights"],
)
def test_fitting_scales_give_back_what_a_corrupt_one_lost(fault, stored, tmp_path):
    exact = answers(matmul(), tmp_path)
    corrupt = quantized(**fault, stored=stored)

    fitting = refitted(corrupt, matmul(), SEEN)

    assert scaled_activations(corrupt, ["x", "y"]) == ("x",)
    before, after = (np.abs(answers(model, tmp_path) - exact).max() for model in (corrupt, fitting))
    assert after < 0.12  # eight products, each half a step of x or W away
    assert before > 5 * after


def test_what_fits_already_stays_and_a_change_is_told_with_its_tensor():
    corrupt = quantized(scale=1.0, zero=0, dtype=np.int8, stored=True, weight_scale=0.5)

    (x, weight) = scale_changes(corrupt, refitted(corrupt, matmul(), SEEN))["y"]

    assert (x.tensor, x.before, x.after) == ("x", 1.0, pytest.approx(3.0 / 127))
    assert (weight.tensor, weight.before, weight.after) == ("wq", 0.5, pytest.approx(2.0 / 127))
    assert onnx.checker.check_model(refitted(corrupt, matmul(), SEEN)) is None


@pytest.mark.parametrize(("dtype", "zero"), [(np.uint8, 64), (np.int8, -64)])
def test_a_good_scale_with_a_zero_point_is_what_fits(dtype, zero):
    """Files of ONNX Runtime's quantizer spend all 256 steps from end to end, in INT8 as well."""
    good = quantized(scale=4.0 / 255, zero=zero, dtype=dtype, stored=True)

    (x, _) = scale_changes(good, refitted(good, matmul(), SEEN))["y"]

    assert x.after == pytest.approx(x.before)
    assert x.zero_after == x.zero_before == zero


@pytest.mark.parametrize("stored", [False, True], ids=["pair", "stored steps"])
def test_scales_in_constant_nodes_and_behind_identities_are_taken_anew(stored):
    """So PyTorch writes them."""
    corrupt = quantized(scale=1.0, zero=0, dtype=np.int8, stored=stored, weight_scale=0.5)
    graph = corrupt.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    nodes = [helper.make_node("Constant", [], [name], value=held[name]) for name in ("s", "z", "w")]
    nodes.append(helper.make_node("Identity", ["first"], ["ws"]))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    for name in ("s", "z", "w"):
        graph.initializer.remove(held[name])
    held["ws"].name = "first"

    (x, weight) = scale_changes(corrupt, refitted(corrupt, matmul(), SEEN))["y"]

    assert (x.after, weight.after) == (pytest.approx(3.0 / 127), pytest.approx(2.0 / 127))


@pytest.mark.parametrize(("first", "second"), [(1.0, 3.0 / 127), (3.0 / 127, 1.0)], ids=["quantizes", "dequantizes"])
def test_of_a_pair_with_two_scales_the_one_that_does_not_fit_is_told(first, second):
    torn = quantized(scale=first, zero=0, dtype=np.int8, stored=True)
    torn.graph.initializer.append(numpy_helper.from_array(np.float32(second), "other"))
    next(node for node in torn.graph.node if node.output[0] == "xd").input[1] = "other"

    (x, _) = scale_changes(torn, refitted(torn, matmul(), SEEN))["y"]

    assert (x.tensor, x.before, x.after) == ("x", 1.0, pytest.approx(3.0 / 127))


def test_a_pair_at_an_output_that_was_renamed_is_refitted_by_what_it_gives():
    """ONNX Runtime's quantizer keeps the output's name for what comes out of the pair."""
    made = quantized(scale=3.0 / 127, zero=0, dtype=np.int8, stored=True)
    next(node for node in made.graph.node if node.output[0] == "y").output[0] = "y_exact"
    made.graph.initializer.append(numpy_helper.from_array(np.float32(30.0), "ys"))
    made.graph.node.append(helper.make_node("QuantizeLinear", ["y_exact", "ys", "z"], ["yq"], name="yq"))
    made.graph.node.append(helper.make_node("DequantizeLinear", ["yq", "ys", "z"], ["y"], name="yd"))

    assert scaled_activations(made, ["x", "y"]) == ("x", "y")
    (change,) = scale_changes(made, refitted(made, matmul(), SEEN | {"y": (-5.0, 12.7)}))["y"]

    assert (change.before, change.after) == (30.0, pytest.approx(0.1))


def test_what_was_zero_on_all_samples_keeps_its_scale_and_zero_point():
    good = quantized(scale=0.1, zero=7, dtype=np.uint8, stored=True)

    (x, _) = scale_changes(good, refitted(good, matmul(), {"x": (0.0, 0.0)}))["y"]

    assert (x.before, x.zero_before) == (x.after, x.zero_after)


def test_a_square_weight_that_the_file_holds_transposed_is_left_alone(tmp_path):
    square = np.arange(-32, 32, dtype=np.float32).reshape(8, 8)
    exact, turned = matmul(), quantized(scale=3.0 / 127, zero=0, dtype=np.int8, stored=True, weight_scale=1.0)
    for model, trans, held, name in ((exact, 0, square, "w"), (turned, 1, square.T.astype(np.int8), "wq")):
        node = next(node for node in model.graph.node if node.output[0] == "y")
        node.op_type = "Gemm"
        node.attribute.append(helper.make_attribute("transB", trans))
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(held), name))
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 8

    fitting = refitted(turned, exact, SEEN)

    assert np.abs(answers(fitting, tmp_path) - answers(exact, tmp_path)).max() < 4.0  # 256 where it is turned


def test_as_many_scales_as_no_axis_has_stay_as_they_are():
    odd = quantized(scale=1.0, zero=0, dtype=np.int8, stored=True)
    scale = next(tensor for tensor in odd.graph.initializer if tensor.name == "ws")
    scale.CopyFrom(numpy_helper.from_array(np.full(3, 0.5, np.float32), "ws"))

    (_, weight) = scale_changes(odd, refitted(odd, matmul(), SEEN))["y"]

    assert weight.before == weight.after == 0.5


def test_an_activation_without_a_range_keeps_its_scale():
    corrupt = quantized(scale=1.0, zero=0, dtype=np.int8, stored=False)

    (x, _) = scale_changes(corrupt, refitted(corrupt, matmul(), {}))["y"]

    assert x.before == x.after == 1.0


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16, Precision.FP8, Precision.INT8])
def test_a_variant_made_here_is_in_the_precision_that_was_asked_for(precision):
    ranges = [RANGE] if precision.is_quantized else []

    variant = make_variant(matmul(), Recipe(precision=precision, normalize=False), ranges)

    assert own_precision(variant.model) is precision


def test_weights_in_int4_make_a_file_int4():
    made = matmul()
    made.graph.node[0].input[1] = "wd"
    made.graph.node.insert(0, helper.make_node("DequantizeLinear", ["w4", "s"], ["wd"], name="weights"))
    made.graph.initializer.extend(
        [helper.make_tensor("w4", TensorProto.INT4, [8, 4], [1] * 32), helper.make_tensor("s", 1, [], [0.1])]
    )

    assert own_precision(made) is Precision.INT4


def test_a_file_in_fp32_and_one_in_uint8_without_zero_points():
    model = quantized(scale=1.0, zero=0, dtype=np.uint8, stored=True)
    for node in model.graph.node:
        if node.output[0] in ("xq", "xd"):
            del node.input[2:]

    assert own_precision(model) is Precision.INT8
    assert own_precision(matmul()) is None


def test_a_file_with_fp16_inputs_takes_the_samples_of_the_fp32_model(tmp_path):
    """As converters write it unless they are told to keep the types of inputs and outputs."""
    half = matmul()
    half.graph.input[0].type.tensor_type.elem_type = half.graph.output[0].type.tensor_type.elem_type = (
        TensorProto.FLOAT16
    )
    half.graph.initializer[0].CopyFrom(numpy_helper.from_array(WEIGHT.astype(np.float16), "w"))

    wide = with_float_inputs(half, {"x"})

    assert half.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16
    assert own_precision(wide) is Precision.FP16
    assert np.abs(answers(wide, tmp_path) - answers(matmul(), tmp_path)).max() < 0.05
    assert with_float_inputs(half, {"another"}) is half
    assert with_float_inputs(matmul(), {"x"}).graph.node[0].input[0] == "x"
