"""Multiply-accumulates of a node, from the shapes of its tensors.

One multiply and one add count as one. Additions alone (bias, residuals) and element-wise multiplies count nothing. The
formulas follow from the definitions in the ONNX operator specification: each output element of a convolution or a
matrix product is one dot product, and its length is what the formulas multiply by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Shape = tuple[int, ...]
Shapes = Callable[[str], Shape | None]


def count_macs(node: Any, shape_of: Shapes) -> int | None:
    """Multiply-accumulates of a node; None for an op that has none to count, or when a shape is not known."""
    if node.domain not in ("", "ai.onnx"):
        return None
    formula = _FORMULAS.get(node.op_type)
    if formula is None:
        return None
    try:
        return formula(node, shape_of)
    except (IndexError, _UnknownShape):
        return None


class _UnknownShape(Exception):
    """A shape that a formula needs is not known."""


def _known(shape_of: Shapes, names: Any, position: int) -> Shape:
    shape = shape_of(names[position]) if names[position] else None
    if shape is None:
        raise _UnknownShape
    return shape


def _attribute(node: Any, name: str, default: int) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), default)


def _conv(weight: int) -> Callable[[Any, Shapes], int]:
    """Conv: weight is (M, C / group, k...), so each output element is a dot product of length C / group x k..."""

    def formula(node: Any, shape_of: Shapes) -> int:
        return math.prod(_known(shape_of, node.output, 0)) * math.prod(_known(shape_of, node.input, weight)[1:])

    return formula


def _conv_transpose(node: Any, shape_of: Shapes) -> int:
    """ConvTranspose: weight is (C, M / group, k...); each input element is spread over M / group x k... outputs."""
    return math.prod(_known(shape_of, node.input, 0)) * math.prod(_known(shape_of, node.input, 1)[1:])


def _gemm(node: Any, shape_of: Shapes) -> int:
    """Gemm: M x N outputs, each a dot product of length K."""
    left = _known(shape_of, node.input, 0)
    return math.prod(_known(shape_of, node.output, 0)) * left[0 if _attribute(node, "transA", 0) else 1]


def _matmul(node: Any, shape_of: Shapes) -> int:
    """MatMul: each output element is a dot product over the last axis of the left operand."""
    return math.prod(_known(shape_of, node.output, 0)) * _known(shape_of, node.input, 0)[-1]


def _recurrent(gates: int) -> Callable[[Any, Shapes], int]:
    """LSTM, GRU, RNN: at each step every direction multiplies W (gates x H, I) and R (gates x H, H) with vectors."""

    def formula(node: Any, shape_of: Shapes) -> int:
        steps, batch = _known(shape_of, node.input, 0)[:2]  # layout 1 only swaps the two
        weights, recurrent = _known(shape_of, node.input, 1), _known(shape_of, node.input, 2)
        if weights[1] != gates * recurrent[2]:
            raise _UnknownShape
        return steps * batch * (math.prod(weights) + math.prod(recurrent))

    return formula


def _einsum(node: Any, shape_of: Shapes) -> int | None:
    """Einsum of two operands: the product of the sizes of all its indices; None for more operands or an ellipsis."""
    equation = next((item.s.decode(errors="replace") for item in node.attribute if item.name == "equation"), "")
    terms = [term.strip() for term in equation.split("->")[0].split(",")]
    if len(terms) != 2 or "." in equation:
        return None
    sizes: dict[str, int] = {}
    for position, term in enumerate(terms):
        shape = _known(shape_of, node.input, position)
        if len(shape) != len(term):
            return None
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return math.prod(sizes.values())


def _attention(node: Any, shape_of: Shapes) -> int:
    """Attention (opset 23): Q K^T and the product with V, batch x heads x L x S x (D + Dv)."""
    query, key, value = (_known(shape_of, node.input, position) for position in range(3))
    if len(query) == 4:
        batch, heads, steps, width = query
        return batch * heads * steps * key[2] * (width + value[3])
    heads, kv_heads = _attribute(node, "q_num_heads", 1), max(1, _attribute(node, "kv_num_heads", 1))
    batch, steps, width = query
    return batch * steps * key[1] * (width + heads * value[2] // kv_heads)


_FORMULAS: Mapping[str, Callable[[Any, Shapes], int | None]] = {
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "QLinearConv": _conv(3),
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "Einsum": _einsum,
    "LSTM": _recurrent(4),
    "GRU": _recurrent(3),
    "RNN": _recurrent(1),
    "Attention": _attention,
}
