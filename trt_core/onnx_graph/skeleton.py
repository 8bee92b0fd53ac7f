"""A model without its big weights, for checks and shape inference that would otherwise copy them several times."""

from __future__ import annotations

import re
from typing import Any

from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.tensors import element_count, is_external, shown

# Shape computations read small constants only; everything larger is worth leaving out.
_KEPT_ELEMENTS = 1024
_UNKNOWN_DOMAIN = "enginescope.unregistered"


def make_skeleton(model: Any) -> tuple[Any, list[int]]:
    """A copy in which large initializers and Constant nodes are graph inputs of the same type; nodes named by index.

    Ops that the default domain does not define move to a domain of their own, where the checker and shape inference
    pass over them. Also returns the original index of each node of the copy.
    """
    import onnx

    skeleton = onnx.ModelProto()
    skeleton.ir_version = max(model.ir_version, 4)  # from 4 on, initializers need not be inputs
    skeleton.producer_name = model.producer_name
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name or "graph"
    stored = {tensor.name for tensor in model.graph.initializer}
    graph.input.extend(value for value in model.graph.input if value.name not in stored)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    for tensor in model.graph.initializer:
        if is_external(tensor) or element_count(tensor) > _KEPT_ELEMENTS:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        else:
            graph.initializer.append(tensor)
    kept = _copy_nodes(model, graph)
    if any(node.domain == _UNKNOWN_DOMAIN for node in graph.node):
        skeleton.opset_import.append(onnx.helper.make_opsetid(_UNKNOWN_DOMAIN, 1))
    return skeleton, kept


def _copy_nodes(model: Any, graph: Any) -> list[int]:
    import onnx

    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)
    local = {(function.domain, function.name) for function in model.functions}
    known: dict[str, bool] = {}
    kept: list[int] = []
    for index, node in enumerate(model.graph.node):
        constant = _large_constant(node)
        if constant is not None:
            value = onnx.helper.make_tensor_value_info(node.output[0], constant.data_type, list(constant.dims))
            graph.input.append(value)
            continue
        copied = graph.node.add()
        copied.CopyFrom(node)
        copied.name = str(index)
        kept.append(index)
        if node.domain in ("", "ai.onnx") and ("", node.op_type) not in local:
            if node.op_type not in known:
                known[node.op_type] = _is_defined(node.op_type, version)
            if not known[node.op_type]:
                copied.domain = _UNKNOWN_DOMAIN
    return kept


def _is_defined(op_type: str, version: int) -> bool:
    import onnx

    try:
        onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return False
    return True


def _large_constant(node: Any) -> Any | None:
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.HasField("t") and element_count(attribute.t) > _KEPT_ELEMENTS:
            return attribute.t
    return None


def with_node_names(text: str, model: Any) -> str:
    """A library's message about a skeleton, with the skeleton's node numbers replaced by the model's node names."""

    def name(match: re.Match[str]) -> str:
        index = int(match[2])
        return match[1] + (shown(node_name(model.graph.node[index])) if index < len(model.graph.node) else match[2])

    return re.sub(r"(node name: |Name: |Node\()(\d+)\b", name, text)
