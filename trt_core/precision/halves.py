"""Half of a quantization: only the weights, or only the activations, to tell whose error it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def without_pairs(variant_model: onnx.ModelProto, *, of_weights: bool) -> onnx.ModelProto:
    """A variant in FP32 with Q/DQ pairs without those of its weights, or without those of its activations.

    Readers of a pair that goes read what was quantized. The variant's rest must be FP32, so that both have one dtype.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(variant_model)
    constant = {tensor.name for tensor in made.graph.initializer}
    source = {
        node.output[0]: node.input[0]
        for node in made.graph.node
        if node.op_type == "QuantizeLinear" and (node.input[0] in constant) == of_weights
    }
    instead = {
        node.output[0]: source[node.input[0]]
        for node in made.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in source
    }
    left = [node for node in made.graph.node if node.output[0] not in source and node.output[0] not in instead]
    del made.graph.node[:]
    for node in left:
        node.input[:] = [instead.get(name, name) for name in node.input]
        made.graph.node.append(node)
    return made
