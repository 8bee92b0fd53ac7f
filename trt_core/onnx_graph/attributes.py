"""Attributes of a node as short text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trt_core.onnx_graph.tensors import dtype_name

_LONGEST = 120
_MOST = 16
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 5, 6, 7, 8


def attribute_texts(node: Any) -> tuple[tuple[str, str], ...]:
    """(name, text) in file order; long values end in an ellipsis after about 120 characters."""
    return tuple((item.name[:_LONGEST], _text(item)) for item in node.attribute)


def _text(attribute: Any) -> str:
    reference = attribute.ref_attr_name
    text = f"@{reference}" if reference else _TEXT_OF.get(attribute.type, _other)(attribute)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _other(attribute: Any) -> str:
    counts = {"tensors": len(attribute.tensors), "graphs": len(attribute.graphs)}
    return next((f"{count} {what}" for what, count in counts.items() if count), "…")


def _tensor(tensor: Any) -> str:
    sizes = " × ".join(str(dim) for dim in tensor.dims) or "scalar"
    text = f"{dtype_name(tensor.data_type)} {sizes}"
    values = _few_values(tensor)
    return f"{text}: {values}" if values else text


def _few_values(tensor: Any) -> str:
    import numpy as np
    import onnx

    if tensor.data_location or not 0 < int(np.prod([1, *tensor.dims], dtype=object)) <= 8:
        return ""
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError):
        return ""
    return _list(f"{value:g}" if isinstance(value, float) else str(value) for value in array.ravel().tolist())


def _list(values: Iterable[str]) -> str:
    shown: list[str] = []
    for value in values:
        if len(shown) == _MOST:
            shown.append("…")
            break
        shown.append(value)
    return ", ".join(shown)


def _string(value: bytes) -> str:
    return value[: 4 * _LONGEST].decode(errors="replace")


_TEXT_OF = {
    _FLOAT: lambda item: f"{item.f:g}",
    _INT: lambda item: str(item.i),
    _STRING: lambda item: _string(item.s),
    _TENSOR: lambda item: _tensor(item.t),
    _GRAPH: lambda item: f"graph of {len(item.g.node)} nodes",
    _FLOATS: lambda item: _list(f"{value:g}" for value in item.floats),
    _INTS: lambda item: _list(str(value) for value in item.ints),
    _STRINGS: lambda item: _list(_string(value) for value in item.strings),
}
