"""Reading and changing the attributes of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute, or the default that the ONNX operator gives it."""
    from onnx import helper

    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def drop_attribute(node: onnx.NodeProto, name: str) -> None:
    """Take an attribute away, so that the operator's default holds."""
    kept = [item for item in node.attribute if item.name != name]
    if len(kept) != len(node.attribute):
        del node.attribute[:]
        node.attribute.extend(kept)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Give an attribute a value, whether it was there or not."""
    from onnx import helper

    drop_attribute(node, name)
    node.attribute.append(helper.make_attribute(name, value))
