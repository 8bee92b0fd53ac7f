"""Remove what computes nothing at run time: constants, identities, dead nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trt_core.domain.precision import RemovedNode
from trt_core.onnx_graph.structure import reads
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.precision.attributes import attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.weights import Array, Weight, made, stored

if TYPE_CHECKING:
    import onnx

CONSTANTS, IDENTITIES, DEAD = "constant folding", "identity removal", "dead code"
# A folded result may be as large as what it was made of, and small ones always fold: Expand must not fill the disk.
SMALL_BYTES = 1 << 20
_NOT_FOLDED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"}
    | {"Multinomial", "Bernoulli", "DynamicQuantizeLinear"}
)


def fold_constants(draft: Draft) -> None:
    """Evaluate nodes whose inputs are all constant, and turn their results into initializers.

    The evaluator is ONNX's reference implementation, one node at a time, so that names stay: ONNX Runtime's optimizer
    renames and fuses. A node that it cannot evaluate, or whose result is large, stays for the compiler.
    """
    kept: list[DraftNode] = []
    folded: list[tuple[DraftNode, list[str]]] = []
    outputs = draft.output_names
    for node in draft.nodes:
        results = _constant_results(draft, node) if not outputs & set(node.proto.output) else None
        if results is None:
            kept.append(node)
            continue
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


def _constant_results(draft: Draft, node: DraftNode) -> dict[str, Weight] | None:
    """Results by tensor name; None when the node is not constant, or better left to the compiler."""
    proto = node.proto
    if not node.is_standard or proto.op_type in _NOT_FOLDED or any(True for _ in subgraphs(proto)):
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
    if any(weight.elem_type in (8, 16, 17, 18, 19, 20, 21, 22, 23, 24) for weight in weights):
        return None  # strings, and formats that NumPy does not compute in
    limit = max(SMALL_BYTES, sum(weight.size * 8 for weight in weights))
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
    import onnx
    from onnx.reference import ReferenceEvaluator

    feeds = {name: draft.weights[name].load() for name in proto.input if name}
    if _announced_elements(proto, feeds) > limit:
        return None
    graph = onnx.helper.make_graph(
        [proto],
        "constant",
        [onnx.helper.make_tensor_value_info(name, draft.weights[name].elem_type, None) for name in feeds],
        [onnx.helper.make_tensor_value_info(name, 0, None) for name in proto.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", draft.opset)])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # noqa: BLE001 - whatever the evaluator cannot do is left to the compiler
        return None
    arrays = [np.asarray(values) for values in results]
    return arrays if all(values.dtype.kind in "fiub" for values in arrays) else None


def _announced_elements(proto: onnx.NodeProto, feeds: dict[str, Array]) -> int:
    """Elements that a node which makes large tensors out of small ones is going to make."""
    if proto.op_type in ("ConstantOfShape", "Expand"):
        shape = feeds[proto.input[-1]]
        return int(np.prod(np.maximum(shape.astype(np.float64), 1)))
    if proto.op_type == "Tile":
        return int(feeds[proto.input[0]].size * np.prod(feeds[proto.input[1]].astype(np.float64)))
    if proto.op_type == "Range":
        start, stop, step = (float(feeds[name].reshape(())) for name in proto.input)
        return int(min(abs((stop - start) / step), 1e18)) if step else 0
    return 0
