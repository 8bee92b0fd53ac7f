"""Rules that need an ONNX model's values and bodies, not its graph alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph

if TYPE_CHECKING:
    import onnx

_SMALL = 1 << 16  # zero points hold one value a channel: more is no zero point, and would cost time to read


def value_findings(model: onnx.ModelProto, graph: Graph) -> tuple[Finding, ...]:
    """Zero points that are not zero, INT64 values beyond INT32, and branches of If that differ in rank or shape.

    Values that are not in the file (external data) are not read: rules that need them stay silent.
    """
    names = {index: node.name for index, node in enumerate(graph.nodes)}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = (_zero_points(model, stored, names), _wide_integers(stored, graph), _branches(model, names))
    return tuple(item for item in found if item is not None)


def _zero_points(model: Any, stored: dict[str, Any], names: dict[int, str]) -> Finding | None:
    nodes = [
        names[index]
        for index, node in enumerate(model.graph.node)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        and len(node.input) > 2
        and (values := _values(stored.get(node.input[2]))) is not None
        and values.astype(float).any()
    ]
    if not nodes:
        return None
    return Finding(
        rule="asymmetric-zero-point",
        severity=Severity.BLOCKER,
        message=f"{len(nodes)} Q/DQ nodes have a zero point that is not zero; TensorRT quantizes symmetrically.",
        remedy="Quantize again with symmetric activations and weights.",
        nodes=tuple(dict.fromkeys(nodes))[:50],
    )


def _wide_integers(stored: dict[str, Any], graph: Graph) -> Finding | None:
    wide = [
        name
        for name, tensor in stored.items()
        if tensor.data_type == 7
        and (values := _values(tensor)) is not None
        and values.size
        and (int(values.max()) > 2**31 - 1 or int(values.min()) < -(2**31))
    ]
    if not wide:
        return None
    readers = [graph.nodes[index].name for name in wide for index in graph.consumers_of.get(name, ())]
    return Finding(
        rule="int64-values-beyond-int32",
        severity=Severity.WARNING,
        message=f"{len(wide)} INT64 initializers hold values that do not fit INT32: TensorRT 8.6 clamps them.",
        remedy="Where a value means 'to the end', as in Slice, clamping does no harm; else use a later TensorRT.",
        nodes=tuple(dict.fromkeys(readers))[:50],
    )


def _values(tensor: Any) -> Any:
    """The values of a small tensor that the file itself holds, as an array; None otherwise."""
    import onnx

    if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    count = 1
    for dim in tensor.dims:
        count *= dim
    if count > _SMALL:
        return None
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError):
        return None


def _branches(model: Any, names: dict[int, str]) -> Finding | None:
    unequal = []
    for index, node in enumerate(model.graph.node):
        bodies = [item.g for item in node.attribute if item.name in ("then_branch", "else_branch")]
        if node.op_type != "If" or len(bodies) != 2:
            continue
        pairs = zip(bodies[0].output, bodies[1].output, strict=False)
        if any((a := _rank(one)) is not None and (b := _rank(two)) is not None and a != b for one, two in pairs):
            unequal.append(names[index])
    if not unequal:
        return None
    return Finding(
        rule="if-branches-of-different-rank",
        severity=Severity.WARNING,
        message=f"The branches of {len(unequal)} If nodes differ in rank: parsers accept that, builds fail.",
        remedy="Make the condition constant and fold it, or give both branches one rank.",
        nodes=tuple(unequal)[:50],
    )


def _rank(value: Any) -> int | None:
    kind = value.type.tensor_type
    return len(kind.shape.dim) if kind.HasField("shape") else None
