from __future__ import annotations

import onnx
import pytest

from trt_core.backends.tensorrt.device_rates import MATRIX, PRODUCTS, best_rate, device_word, products
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.precision import Precision

OPERATIONS = 2 * 16 * 32 * 32 * 2048 * 2048


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80GB"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("NVIDIA", "NVIDIA"),
    ],
)
def test_a_device_is_known_by_the_word_that_tells_it_from_others(name, word):
    assert device_word(name) == word


@pytest.mark.parametrize("precision", MATRIX)
def test_the_measured_network_is_a_row_of_equal_products_in_the_precision_asked_for(precision):
    made = products(precision)
    onnx.checker.check_model(made, full_check=True)
    ops = [node.op_type for node in made.graph.node]
    assert ops.count("Conv") == PRODUCTS
    assert ops.count("QuantizeLinear") == (2 * PRODUCTS if precision is Precision.INT8 else 0)
    kind = onnx.TensorProto.FLOAT16 if precision is Precision.FP16 else onnx.TensorProto.FLOAT
    assert {item.type.tensor_type.elem_type for item in (*made.graph.input, *made.graph.output)} == {kind}


def test_the_rate_is_that_of_the_fastest_layer_which_ran_in_the_precision():
    def layer(index, names, precision):
        return EngineLayer(index=index, name="+".join(names), source_names=names, precision=precision)

    record = EngineRecord(
        layers=(
            layer(0, ("product0",), Precision.FP16),
            layer(1, ("product1", "product2"), Precision.INT8),
            layer(2, ("product3",), Precision.INT8),
            layer(3, ("reformat",), Precision.INT8),
        )
    )
    times = {"product0": 0.01, "product1+product2": 0.3, "product3": 0.2, "reformat": 0.001}
    assert best_rate(record, times, Precision.INT8) == pytest.approx(2 * OPERATIONS / 0.3e-3)
    assert best_rate(record, {"product3": 0.2}, Precision.INT8) == pytest.approx(OPERATIONS / 0.2e-3)
    assert best_rate(record, times, Precision.FP32) is None
    assert best_rate(record, {}, Precision.INT8) is None
