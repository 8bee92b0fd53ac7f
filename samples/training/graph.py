"""Writing a network down as an ONNX graph, node by named node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10


class GraphWriter:
    """Collects nodes and initializers; a tensor is called after the node that makes it."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def weight(self, name: str, value: NDArray[Any]) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op_type: str, scope: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node called `scope/op_type` and answer the name of its only output."""
        name = f"{scope}/{op_type}"
        output = f"{name}_output_0"
        self._nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output

    def model(self, name: str, *, image: list[int | str], output: str) -> onnx.ModelProto:
        """The finished model: opset 17, IR 8, input `image`, `output` renamed to `logits` [batch, 10]."""
        for node in self._nodes:
            node.output[:] = ["logits" if made == output else made for made in node.output]
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [image[0], CLASSES])],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="enginescope-samples")


def write(model: onnx.ModelProto, path: Path) -> None:
    """Check `model` and write it to `path`."""
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
