"""Hand-made numerics twins: small enough to be checked by eye, with the original names on the rounded tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

RAW = "__raw"


def fp16_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every weight rounded to FP16, every node's output through a pair of casts."""
    twin = _copy(model)
    for tensor in twin.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    nodes = list(twin.graph.node)
    del twin.graph.node[:]
    for node in nodes:
        name = node.output[0]
        node.output[0] = name + RAW
        half = helper.make_node("Cast", [name + RAW], [name + "__half"], to=onnx.TensorProto.FLOAT16)
        back = helper.make_node("Cast", [name + "__half"], [name], to=onnx.TensorProto.FLOAT)
        twin.graph.node.extend([node, half, back])
    return twin


def int8_twin(model: onnx.ModelProto, scales: Mapping[str, float], default: float | None = None) -> onnx.ModelProto:
    """A Q/DQ pair, zero point 0, before the first input of every Conv and Gemm whose tensor has a scale."""
    twin = _copy(model)
    nodes = list(twin.graph.node)
    del twin.graph.node[:]
    twin.graph.initializer.append(numpy_helper.from_array(np.int8(0), "zero_point"))
    for node in nodes:
        source = node.input[0]
        scale = scales.get(source, default)
        if node.op_type in ("Conv", "Gemm") and scale is not None:
            parameters = [f"{node.name}__scale", "zero_point"]
            twin.graph.initializer.append(numpy_helper.from_array(np.float32(scale), parameters[0]))
            twin.graph.node.extend(
                [
                    helper.make_node("QuantizeLinear", [source, *parameters], [f"{node.name}__q"]),
                    helper.make_node("DequantizeLinear", [f"{node.name}__q", *parameters], [f"{node.name}__dq"]),
                ]
            )
            node.input[0] = f"{node.name}__dq"
        twin.graph.node.append(node)
    return twin


def tensors_of(twin: onnx.ModelProto, model: onnx.ModelProto) -> dict[str, str]:
    """The original tensors that the twin still has, under their own names."""
    written = {name for node in twin.graph.node for name in node.output}
    return {name: name for node in model.graph.node for name in node.output if name in written}


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    return twin
