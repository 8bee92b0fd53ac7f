"""Small networks that a GPU builds in seconds; weights are seeded."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests import models


def residual_network(blocks: int = 4, channels: int = 32, sizes: tuple = (32, 32)) -> onnx.ModelProto:
    """x (batch, 3, *sizes): residual blocks as ResNet-18 has them, pooled, and a product with ten outputs."""
    nodes, weights = [], []

    def conv(source: str, target: str, inside: int, *, name: str) -> None:
        weight = np.random.default_rng(len(weights)).standard_normal((channels, inside, 3, 3), dtype=np.float32)
        weights.append(numpy_helper.from_array(weight * np.float32(np.sqrt(2 / (9 * inside))), f"w{len(weights)}"))
        inputs = [source, weights[-1].name]
        nodes.append(helper.make_node("Conv", inputs, [target], name=name, pads=[1, 1, 1, 1]))

    conv("x", "stem", 3, name="stem_conv")
    nodes.append(helper.make_node("Relu", ["stem"], ["b0"], name="stem_relu"))
    for block in range(blocks):
        here, there = f"b{block}", f"b{block + 1}"
        conv(here, f"{here}_c1", channels, name=f"block{block}_conv1")
        nodes.append(helper.make_node("Relu", [f"{here}_c1"], [f"{here}_r1"], name=f"block{block}_relu1"))
        conv(f"{here}_r1", f"{here}_c2", channels, name=f"block{block}_conv2")
        nodes.append(helper.make_node("Add", [f"{here}_c2", here], [f"{here}_sum"], name=f"block{block}_add"))
        nodes.append(helper.make_node("Relu", [f"{here}_sum"], [there], name=f"block{block}_relu2"))
    nodes += [
        helper.make_node("GlobalAveragePool", [f"b{blocks}"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "head", "bias"], ["y"], name="head_gemm"),
    ]
    weights += [models.tensor("head", (channels, 10), seed=98), models.tensor("bias", (10,), seed=99)]
    return models.model(nodes, [models.value("x", ["batch", 3, *sizes])], [models.value("y", ["batch", 10])], weights)


def finding_nonzero() -> onnx.ModelProto:
    """x (6,) -> NonZero -> y (1, n): n depends on the data."""
    return models.model(
        [
            helper.make_node("Relu", ["x"], ["r"], name="relu"),
            helper.make_node("NonZero", ["r"], ["y"], name="nonzero"),
        ],
        [models.value("x", [6])],
        [models.value("y", [1, "n"], TensorProto.INT64)],
    )


def unknown_op() -> onnx.ModelProto:
    """An op that no parser and no plugin knows."""
    return models.model(
        [
            helper.make_node("Relu", ["x"], ["r"], name="before"),
            helper.make_node("Nowhere", ["r"], ["y"], name="lost", domain="custom"),
        ],
        [models.value("x", [1, 4])],
        [models.value("y", [1, 4])],
        domains=["custom"],
    )
