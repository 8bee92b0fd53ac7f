"""Remove what computes nothing at run time: constants, identities, dead nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trt_core.domain.precision import RemovedNode
from trt_core.onnx_graph.structure import reads
from trt_core.precision.attributes import attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.weights import Array, Weight, made, stored

if TYPE_CHECKING:
    import onnx

CONSTANTS, IDENTITIES, DEAD = "constant folding", "identity removal", "dead code"
# A folded result may be as large as what it was made of, and small ones always fold: Expand must not fill the disk.
SMALL_BYTES = 1 << 20
# Of one element, by onnx.TensorProto.DataType; what is not here NumPy cannot compute in.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8}
# All results together, so that a chain of nodes that each double a constant ends, too.
_ALL_BYTES = 64 << 20
_READ_FOR_SHAPES = 1024  # elements: targets of Reshape, repeats, sizes
# Evaluated over whole arrays at once. Whatever else is constant, the compiler folds: evaluating a convolution, a pool
# or a picture decoder here would take a hostile file's word for how long that lasts.
_WHOLE_ARRAY = frozenset(
    {"Constant", "ConstantOfShape", "Shape", "Size", "Range", "Identity", "Cast", "CastLike", "Reshape", "Flatten"}
    | {"Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Slice", "Gather", "Expand", "Tile", "Pad", "Where"}
    | {"Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sqrt", "Pow", "Exp", "Log"}
    | {"Reciprocal", "Erf", "Tanh", "Sigmoid", "Relu", "Min", "Max", "Sum", "Mean", "Clip", "Sin", "Cos", "IsNaN"}
    | {"Not", "And", "Or", "Xor", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "ArgMax", "ArgMin"}
    | {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceSumSquare"}
)
# Evaluated element by element, or in more than linear time: worth it for masks and indices only.
_SMALL_ONLY = frozenset(
    {"MatMul", "Gemm", "CumSum", "TopK", "OneHot", "EyeLike", "Trilu", "NonZero", "Unique", "Compress"}
    | {"GatherND", "GatherElements", "ScatterND", "ScatterElements"}
)
_SMALL_ELEMENTS = 1 << 16
_UNKNOWN_BEFORE = frozenset({"NonZero", "Unique", "Compress"})  # their results are no larger than their inputs


def fold_constants(draft: Draft) -> None:
    """Evaluate nodes whose inputs are all constant, and turn their results into initializers.

    The evaluator is ONNX's reference implementation, one node at a time, so that names stay: ONNX Runtime's optimizer
    renames and fuses. A node that it cannot evaluate, or whose result is large, stays for the compiler.
    """
    kept: list[DraftNode] = []
    folded: list[tuple[DraftNode, list[str]]] = []
    outputs = draft.output_names
    left = max(_ALL_BYTES, 32 * sum(weight.size for weight in draft.weights.values()))
    for node in draft.nodes:
        results = _constant_results(draft, node, left) if not outputs & set(node.proto.output) else None
        if results is None:
            kept.append(node)
            continue
        left -= sum(
            _BYTES.get(weight.elem_type, 8) * weight.size for weight in results.values() if weight.proto is None
        )
        draft.weights.update(results)
        folded.append((node, list(results)))
    draft.nodes = kept
    readers = _first_readers(draft)
    for node, names in folded:
        into = next((readers[name] for name in names if name in readers), None)
        draft.removed.extend(RemovedNode(index=index, by=CONSTANTS, into=into) for index in node.sources)


def remove_identities(draft: Draft) -> None:
    """Take out Identity and inference-time Dropout; readers read what went in."""
    pinned, renamed, kept = draft.pinned_names(), dict[str, str](), list[DraftNode]()
    producers = draft.producers()
    for node in draft.nodes:
        proto = node.proto
        for position, name in enumerate(proto.input):
            if name in renamed:
                proto.input[position] = renamed[name]
        if not _is_identity(draft, node) or proto.output[0] in pinned:
            kept.append(node)
            continue
        renamed[proto.output[0]] = proto.input[0]
        before = producers.get(proto.input[0])
        into = before.sources[0] if before is not None and before.sources else None
        draft.removed.extend(RemovedNode(index=index, by=IDENTITIES, into=into) for index in node.sources)
    draft.nodes = kept


def remove_dead(draft: Draft) -> None:
    """Take out nodes whose results nobody reads."""
    needed, kept = set(draft.output_names), list[DraftNode]()
    for node in reversed(draft.nodes):
        if needed.isdisjoint(node.proto.output):
            draft.removed.extend(RemovedNode(index=index, by=DEAD) for index in node.sources)
            continue
        needed.update(reads(node.proto))
        kept.append(node)
    draft.nodes = kept[::-1]


def _is_identity(draft: Draft, node: DraftNode) -> bool:
    proto = node.proto
    if not node.is_standard:
        return False
    if proto.op_type == "Identity":
        return True
    if proto.op_type != "Dropout" or any(proto.output[1:]):
        return False
    training = draft.weights.get(proto.input[2]) if len(proto.input) > 2 and proto.input[2] else None
    asked = len(proto.input) > 2 and bool(proto.input[2])
    return not asked or (training is not None and not training.load().any())


def _first_readers(draft: Draft) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in draft.nodes:
        for name in reads(node.proto):
            if node.sources:
                found.setdefault(name, node.sources[0])
    return found


def _constant_results(draft: Draft, node: DraftNode, left: int) -> dict[str, Weight] | None:
    """Results by tensor name; None when the node is not constant, or better left to the compiler."""
    proto = node.proto
    if not node.is_standard or proto.op_type not in _WHOLE_ARRAY | _SMALL_ONLY:
        return None
    if proto.op_type == "Constant":
        value = attribute(proto, "value", None)
        if value is not None and not value.dims and value.data_type == 0:
            return None
        if value is not None:
            return {proto.output[0]: stored(value)}
    if any(name not in draft.weights for name in proto.input if name):
        return None
    weights = [draft.weights[name] for name in proto.input if name]
    if any(weight.elem_type not in _BYTES for weight in weights):
        return None  # strings, and formats that NumPy does not compute in
    elements = sum(weight.size for weight in weights)
    if proto.op_type in _SMALL_ONLY and elements > _SMALL_ELEMENTS:
        return None
    limit = min(left, max(SMALL_BYTES, elements * 8))
    results = _evaluated(draft, proto, limit)
    if results is None or sum(values.nbytes for values in results) > limit:
        return None
    from onnx import helper

    return {
        name: made(values, helper.np_dtype_to_tensor_dtype(values.dtype))
        for name, values in zip(proto.output, results, strict=False)
        if name
    }


def _evaluated(draft: Draft, proto: onnx.NodeProto, limit: int) -> list[Array] | None:
    from onnx.reference import ReferenceEvaluator

    feeds = {name: draft.weights[name].load() for name in proto.input if name}
    if _announced_bytes(draft, proto, feeds) > limit:
        return None
    types = [(name, draft.weights[name].elem_type, None) for name in feeds]
    model = _one_node(draft, proto, types, {})
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # noqa: BLE001 - whatever the evaluator cannot do is left to the compiler
        return None
    arrays = [np.asarray(values) for values in results]
    return arrays if all(values.dtype.kind in "fiub" for values in arrays) else None


def _announced_bytes(draft: Draft, proto: onnx.NodeProto, feeds: dict[str, Array]) -> float:
    """Bytes that the node is going to make, by shape inference over it alone; infinite where that cannot say."""
    import onnx

    if proto.op_type in _UNKNOWN_BEFORE:
        return 0.0
    small = {name: values for name, values in feeds.items() if values.size <= _READ_FOR_SHAPES}
    types = [(name, draft.weights[name].elem_type, values.shape) for name, values in feeds.items() if name not in small]
    try:
        inferred = onnx.shape_inference.infer_shapes(_one_node(draft, proto, types, small))
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return float("inf")
    shapes = [value.type.tensor_type for value in inferred.graph.output]
    if any(
        not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in kind.shape.dim) for kind in shapes
    ):
        return float("inf")
    return sum(
        float(_BYTES.get(kind.elem_type, 8)) * math.prod(max(0, dim.dim_value) for dim in kind.shape.dim)
        for kind in shapes
    )


def _one_node(
    draft: Draft, proto: onnx.NodeProto, inputs: Sequence[tuple[str, int, Any]], constants: Mapping[str, Array]
) -> onnx.ModelProto:
    import onnx

    graph = onnx.helper.make_graph(
        [proto],
        "constant",
        [onnx.helper.make_tensor_value_info(name, elem_type, shape) for name, elem_type, shape in inputs],
        [onnx.helper.make_tensor_value_info(name, 0, None) for name in proto.output if name],
        [onnx.numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", draft.opset)])
