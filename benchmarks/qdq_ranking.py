"""The ranking that ONNX Runtime's own `qdq_loss_debug` gives of a Q/DQ model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from trt_core.protocols import SampleBatches


class Reader:
    """Samples as ONNX Runtime's quantization tools read them."""

    def __init__(self, samples: SampleBatches) -> None:
        self._feeds = [dict(feeds) for feeds in samples()]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._feeds)


def qdq_loss_ranking(
    model: onnx.ModelProto, variant: onnx.ModelProto, samples: SampleBatches, folder: Path
) -> dict[str, list[str]]:
    """Nodes of the variant, the most suspicious first, by `qdq_err` (with weight errors) and by `xmodel_err`."""
    from onnxruntime.quantization import qdq_loss_debug as debug

    logging.getLogger().setLevel(logging.CRITICAL)
    renamed = _in_their_names(variant)
    saved = {}
    for name, proto in (("float", model), ("qdq", renamed)):
        onnx.save(proto, folder / f"{name}.onnx")
        debug.modify_model_output_intermediate_tensors(folder / f"{name}.onnx", folder / f"{name}_saved.onnx")
        saved[name] = debug.collect_activations(str(folder / f"{name}_saved.onnx"), Reader(samples))
    matched = debug.create_activation_matching(saved["qdq"], saved["float"])
    matched = {name: {"float": None, **one} for name, one in matched.items()}
    activations = debug.compute_activation_error(matched)
    weights = debug.compute_weight_error(
        debug.create_weight_matching(str(folder / "float.onnx"), str(folder / "qdq.onnx"))
    )
    local = {name: error["qdq_err"] for name, error in activations.items()} | weights
    across = {name: error["xmodel_err"] for name, error in activations.items() if "xmodel_err" in error}
    return {
        "qdq_err": _readers(renamed, local),
        "xmodel_err": _readers(renamed, across),
    }


def _readers(model: onnx.ModelProto, errors: dict[str, float]) -> list[str]:
    """Nodes that read the tensors, in ascending order of SQNR."""
    ordered = sorted(errors, key=lambda name: errors[name])
    return [
        node.name for name in ordered for node in model.graph.node if f"{name}_DequantizeLinear_Output" in node.input
    ]


def _in_their_names(variant: onnx.ModelProto) -> onnx.ModelProto:
    """The variant with tensor names as ONNX Runtime's quantizer gives them, and weights stored as INT8."""
    made = onnx.ModelProto()
    made.CopyFrom(variant)
    stored = {tensor.name: tensor for tensor in made.graph.initializer}
    dequantizers = {node.input[0]: node for node in made.graph.node if node.op_type == "DequantizeLinear"}
    names: dict[str, str] = {}
    gone = []
    for node in made.graph.node:
        if node.op_type != "QuantizeLinear":
            continue
        source, pair = node.input[0], dequantizers[node.output[0]]
        names[pair.output[0]] = f"{source}_DequantizeLinear_Output"
        if source in stored:
            gone.append(node)
            names[node.output[0]] = f"{source}_quantized"
            made.graph.initializer.append(_quantized(node, stored))
        else:
            names[node.output[0]] = f"{source}_QuantizeLinear_Output"
    for node in gone:
        made.graph.node.remove(node)
    for node in made.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return made


def _quantized(node: onnx.NodeProto, stored: dict[str, Any]) -> onnx.TensorProto:
    weight, scale = (numpy_helper.to_array(stored[name]) for name in node.input[:2])
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
    shape = [-1 if position == axis else 1 for position in range(weight.ndim)]
    wide = scale.reshape(shape) if scale.ndim else scale
    rounded = np.clip(np.rint(weight / wide), -128, 127).astype(np.int8)
    return numpy_helper.from_array(rounded, f"{node.input[0]}_quantized")
