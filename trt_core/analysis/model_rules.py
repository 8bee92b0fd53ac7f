"""What is known to go wrong with a model, read from its graph before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trt_core.analysis.expected_blocks import primitive_layernorm
from trt_core.analysis.model_values import value_findings
from trt_core.analysis.qdq_rules import qdq_findings
from trt_core.analysis.recurrent_rules import fixed_batch_findings
from trt_core.domain.findings import Finding, Severity, counted, most_severe_first
from trt_core.domain.graph import LONGEST_NAME_BYTES, Graph, Node, is_long_name
from trt_core.domain.tensors import passed_through

if TYPE_CHECKING:
    import onnx

_SHOWN = 50
DATA_DEPENDENT = frozenset({"NonZero", "NonMaxSuppression", "Unique", "Compress", "StringSplit", "RoiAlign"})
CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
# Domains beside ONNX's own whose ops the parsers of TensorRT know, at least in part.
_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "trt"})


def model_findings(
    graph: Graph, *, opset: int, has_profile: bool = False, model: onnx.ModelProto | None = None
) -> tuple[Finding, ...]:
    """Findings on a model, most severe first.

    `opset` is that of the default domain, 0 when there is none. `has_profile` silences what a profile settles.
    `model` adds the rules that need values, attributes of Q/DQ and the bodies of branches.
    """
    found = [
        *_passed_through(graph),
        *_dtypes(graph),
        *_dynamic_inputs(graph, has_profile=has_profile),
        *_data_dependent(graph),
        *_control_flow(graph),
        *_layernorm(graph, opset),
        *_old_opset(opset),
        *_foreign_ops(graph),
        *_names(graph),
        *_long_names(graph),
        *_identities(graph),
        *qdq_findings(graph),
        *fixed_batch_findings(graph),
    ]
    if model is not None:
        found += value_findings(model, graph)
    return most_severe_first(tuple(found))


def _finding(rule: str, severity: Severity, message: str, remedy: str = "", nodes: Iterable[str] = ()) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        message=message,
        remedy=remedy,
        nodes=tuple(dict.fromkeys(nodes))[:_SHOWN],
    )


def _passed_through(graph: Graph) -> Iterator[Finding]:
    names = passed_through(graph.inputs, graph.outputs)
    if names:
        yield _finding(
            "output-is-input",
            Severity.BLOCKER,
            f"The model gives an input back as an output: {', '.join(names[:5])}. No engine is built: the parser would "
            "rename the input in it.",
            "Leave that output out, or pass it through an Identity that writes another name.",
        )


def _dtypes(graph: Graph) -> Iterator[Finding]:
    for dtype, rule, severity, remedy in (
        ("int64", "int64-inputs", Severity.NOTE, "TensorRT 8.6 narrows INT64 to INT32; later releases keep it."),
        ("float64", "double-inputs", Severity.NOTE, "TensorRT computes in FP32: store FP32 to save the cast."),
    ):
        inputs = [spec.name for spec in graph.inputs if spec.dtype == dtype]
        if inputs:
            yield _finding(rule, severity, f"{len(inputs)} inputs are {dtype}: {', '.join(inputs[:5])}.", remedy)
    weights = [n for n in graph.initializers if (spec := graph.tensors.get(n)) is not None and spec.dtype == "int64"]
    readers = _readers(graph, weights)
    if weights:
        yield _finding(
            "int64-weights",
            Severity.NOTE,
            f"{len(weights)} initializers are int64.",
            "TensorRT 8.6 narrows them to INT32 and clamps what does not fit; later releases keep them.",
            readers,
        )
    doubles = [n for n in graph.initializers if (spec := graph.tensors.get(n)) is not None and spec.dtype == "float64"]
    if doubles:
        yield _finding(
            "double-weights",
            Severity.WARNING,
            f"{len(doubles)} initializers are float64; TensorRT casts them to FP32.",
            "Store them as float32.",
            _readers(graph, doubles),
        )


def _readers(graph: Graph, tensors: Iterable[str]) -> list[str]:
    return [graph.nodes[index].name for name in sorted(tensors) for index in graph.consumers_of.get(name, ())]


def _dynamic_inputs(graph: Graph, *, has_profile: bool) -> Iterator[Finding]:
    dynamic = [spec for spec in graph.inputs if not spec.is_static]
    if dynamic and not has_profile:
        shapes = "; ".join(f"{spec.name}: {spec.shape_text()}" for spec in dynamic[:5])
        yield _finding(
            "dynamic-inputs-without-profile",
            Severity.WARNING,
            f"Some sizes are decided at run time: {shapes}.",
            "A build needs an optimization profile: give each of them min, opt and max.",
        )


def _data_dependent(graph: Graph) -> Iterator[Finding]:
    nodes = [node.name for node in graph.nodes if node.op_type in DATA_DEPENDENT]
    if nodes:
        yield _finding(
            "data-dependent-shapes",
            Severity.WARNING,
            f"The shapes that {len(nodes)} nodes give depend on values.",
            "TensorRT needs a plugin or an output allocator for them; leave this part to ONNX Runtime.",
            nodes,
        )


def _control_flow(graph: Graph) -> Iterator[Finding]:
    found = [node for node in graph.nodes if node.op_type in CONTROL_FLOW]
    if found:
        ops = ", ".join(f"{count} {op}" for op, count in Counter(node.op_type for node in found).items())
        yield _finding(
            "control-flow",
            Severity.NOTE,
            f"The graph has control flow ({ops}): it cannot run in a CUDA graph, and records name its parts poorly.",
            "Fold conditions that are constant, or unroll loops of fixed length.",
            (node.name for node in found),
        )


def _layernorm(graph: Graph, opset: int) -> Iterator[Finding]:
    roots = [node for node in graph.nodes if node.op_type == "Sqrt" and primitive_layernorm(graph, node)]
    if roots and opset < 17:
        yield _finding(
            "layernorm-below-opset-17",
            Severity.WARNING,
            f"{len(roots)} layer normalizations are written out in primitive ops at opset {opset}; "
            "their variance can overflow in FP16.",
            "Export at opset 17 or later, which has LayerNormalization.",
            (node.name for node in roots),
        )


def _old_opset(opset: int) -> Iterator[Finding]:
    if 0 < opset < 13:
        yield _finding(
            "old-opset",
            Severity.WARNING,
            f"The model is at opset {opset}: per-channel Q/DQ begin at 13, and converters are tested from there on.",
            "Export again at opset 17 or later, or convert the version.",
        )


def _foreign_ops(graph: Graph) -> Iterator[Finding]:
    foreign: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.domain not in _KNOWN_DOMAINS:
            foreign.setdefault(f"{node.domain}::{node.op_type}", []).append(node)
    for op, nodes in sorted(foreign.items()):
        yield _finding(
            "op-outside-onnx",
            Severity.WARNING,
            f"{len(nodes)} {'node uses' if len(nodes) == 1 else 'nodes use'} {op}, which is not an op of ONNX.",
            "TensorRT needs a plugin or a local function of that name.",
            (node.name for node in nodes),
        )


def _long_names(graph: Graph) -> Iterator[Finding]:
    most = f"more than {LONGEST_NAME_BYTES:,} bytes"
    nodes = [node.name for node in graph.nodes if is_long_name(node.name)]
    tensors = sorted({name for name in (*graph.tensors, *graph.initializers) if is_long_name(name)})
    if nodes:
        yield _finding(
            "long-node-names",
            Severity.NOTE,
            f"{counted(len(nodes), 'node has a name', 'nodes have names')} of {most}; TensorRT refuses those.",
            "Build with normalization, which shortens the names of nodes. The ops are judged without them.",
            nodes,
        )
    if tensors:
        yield _finding(
            "long-names",
            Severity.BLOCKER,
            f"{counted(len(tensors), 'tensor has a name', 'tensors have names')} of {most}, which TensorRT refuses.",
            "Shorten the names before export.",
            (graph.nodes[graph.producer_of[name]].name for name in tensors if name in graph.producer_of),
        )


def _names(graph: Graph) -> Iterator[Finding]:
    shared = {name: indices for name, indices in graph.indices_by_name.items() if len(indices) > 1}
    if shared:
        yield _finding(
            "shared-node-names",
            Severity.NOTE,
            f"{sum(map(len, shared.values()))} nodes share {len(shared)} names: a record cannot tell them apart.",
            "Build with normalization, which makes names unique.",
            shared,
        )
    unnamed = [node.name for node in graph.nodes if node.outputs and node.name == f"node_of_{node.outputs[0]}"]
    if unnamed:
        yield _finding(
            "unnamed-nodes",
            Severity.NOTE,
            f"{len(unnamed)} nodes have no name; they are called after their first output.",
            "Name them at export, so that records stay readable.",
            unnamed,
        )


def _identities(graph: Graph) -> Iterator[Finding]:
    copies = [
        node.name
        for node in graph.nodes
        if node.op_type == "Identity" and node.inputs and node.inputs[0] in graph.initializers
    ]
    if copies:
        yield _finding(
            "identity-of-initializer",
            Severity.NOTE,
            f"{len(copies)} Identity nodes pass initializers on, as exporters write shared weights.",
            "Build with normalization, which removes them.",
            copies,
        )
