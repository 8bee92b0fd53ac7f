"""What a node is called."""

from __future__ import annotations

from typing import Any


def node_name(node: Any) -> str:
    """The node's own name, or `node_of_<first output>` for an unnamed one, as TensorRT's parser calls it."""
    if node.name:
        return str(node.name)
    return f"node_of_{next((name for name in node.output if name), '')}"
