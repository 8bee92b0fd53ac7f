"""A node that is written as a newer opset than the file's has it: the usual reason for which the checker refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trt_core.onnx_graph.naming import node_name


@dataclass(frozen=True, kw_only=True)
class NewerNode:
    """A node that opset `declared` refuses and opset `needed`, the first that does, takes."""

    name: str
    op_type: str
    declared: int
    needed: int


def newer_node(model: Any) -> NewerNode | None:
    """The first top-level node of the default ONNX domain that only a newer opset takes; None when there is none.

    Compared are the numbers of inputs and outputs and the names of attributes with ONNX's own schemas.
    """
    import onnx

    declared = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if not declared:
        return None
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
            continue
        schema = _schema(node.op_type, declared)
        if schema is None or _takes(schema, node):  # an op that is not known may be a plugin
            continue
        for version in range(declared + 1, onnx.defs.onnx_opset_version() + 1):
            newer = _schema(node.op_type, version)
            if newer is not None and _takes(newer, node):
                return NewerNode(name=node_name(node), op_type=node.op_type, declared=declared, needed=version)
    return None


def _schema(op_type: str, version: int) -> Any:
    import onnx

    try:
        return onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None


def _takes(schema: Any, node: Any) -> bool:
    return (
        schema.min_input <= len(node.input) <= schema.max_input
        and schema.min_output <= len(node.output) <= schema.max_output
        and all(item.name in schema.attributes for item in node.attribute)
    )
