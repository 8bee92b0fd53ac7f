"""Where Q/DQ pairs stand, against where TensorRT wants them."""

from __future__ import annotations

from collections.abc import Iterator

from trt_core.analysis.expected import COMPUTING, previous_of, reads_constant
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph, Node

_EPILOGUE = frozenset({"BatchNormalization", "Relu", "Add", "Sum", "Clip", "LeakyRelu", "Sigmoid", "HardSwish"})


def qdq_findings(graph: Graph) -> tuple[Finding, ...]:
    """Findings on the placement of Q/DQ; none for a graph without them.

    Source: the placement rules in NVIDIA's guide to explicit quantization.
    """
    if not any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.nodes):
        return ()
    rules = (_quantized_outputs, _unquantized_skips, _half_quantized, _bias, _qoperators)
    return tuple(finding for rule in rules for finding in rule(graph))


def _names(nodes: list[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.name for node in nodes))[:50]


def _quantized_outputs(graph: Graph) -> Iterator[Finding]:
    """Q right after a convolution whose epilogue follows the pair: it keeps the epilogue out of the kernel."""
    found = [
        node
        for node in graph.nodes
        if node.op_type in COMPUTING
        for quantize in _next(graph, node, "QuantizeLinear")
        for dequantize in _next(graph, quantize, "DequantizeLinear")
        if any(graph.nodes[i].op_type in _EPILOGUE for i in graph.consumers_of.get(dequantize.outputs[0], ()))
    ]
    if found:
        yield Finding(
            rule="qdq-between-convolution-and-epilogue",
            severity=Severity.WARNING,
            message=f"Q/DQ stand between {len(found)} convolutions or products and what would be their epilogue.",
            remedy="Quantize inputs of convolutions and products, not their outputs.",
            nodes=_names(found),
        )


def _next(graph: Graph, node: Node, op_type: str) -> list[Node]:
    readers = graph.consumers_of.get(node.outputs[0], ())
    return [graph.nodes[index] for index in readers if graph.nodes[index].op_type == op_type]


def _unquantized_skips(graph: Graph) -> Iterator[Finding]:
    """An addition of a quantized convolution and a skip input without Q/DQ."""
    found = []
    for node in graph.nodes:
        if node.op_type not in ("Add", "Sum") or len(node.inputs) != 2:
            continue
        above = [previous_of(graph, node, position) for position in (0, 1)]
        quantized = [item is not None and _is_quantized(graph, item) for item in above]
        plain = [
            not reads_constant(graph, node, position) and (item is None or item.op_type != "DequantizeLinear")
            for position, item in enumerate(above)
        ]
        if any(quantized[p] and plain[1 - p] and not quantized[1 - p] for p in (0, 1)):
            found.append(node)
    if found:
        yield Finding(
            rule="unquantized-skip-input",
            severity=Severity.NOTE,
            message=f"{len(found)} additions take a quantized convolution and a skip input without Q/DQ.",
            remedy="Quantize the skip input: its precision decides the precision of the fused kernel's output.",
            nodes=_names(found),
        )


def _is_quantized(graph: Graph, node: Node) -> bool:
    if node.op_type == "BatchNormalization":
        above = previous_of(graph, node, 0)
        return above is not None and _is_quantized(graph, above)
    return node.op_type in ("Conv", "ConvTranspose") and all(
        (item := previous_of(graph, node, position)) is not None and item.op_type == "DequantizeLinear"
        for position in (0, 1)
    )


def _half_quantized(graph: Graph) -> Iterator[Finding]:
    """A quantized activation that meets weights in a floating dtype: the kernel runs in the floating one."""
    found = []
    for node in graph.nodes:
        if node.op_type not in COMPUTING:
            continue
        sides = [previous_of(graph, node, position) for position in (0, 1)]
        quantized = [side is not None and side.op_type == "DequantizeLinear" for side in sides]
        if quantized == [True, False]:
            found.append(node)
    if found:
        yield Finding(
            rule="half-quantized-operands",
            severity=Severity.WARNING,
            message=f"{len(found)} convolutions or products have Q/DQ on their activation alone.",
            remedy="Quantize both operands, or neither.",
            nodes=_names(found),
        )


def _bias(graph: Graph) -> Iterator[Finding]:
    found = []
    for node in graph.nodes:
        spec = graph.tensors.get(node.inputs[0]) if node.op_type == "DequantizeLinear" and node.inputs else None
        if spec is not None and spec.dtype == "int32":
            found.append(node)
    if found:
        yield Finding(
            rule="int32-bias-dequantized",
            severity=Severity.BLOCKER,
            message=f"{len(found)} DequantizeLinear nodes read INT32, as ONNX Runtime writes biases; TensorRT's parser "
            "refuses them.",
            remedy="Quantize again with the biases left in floating point (QuantizeBias=False).",
            nodes=_names(found),
        )


def _qoperators(graph: Graph) -> Iterator[Finding]:
    ops = frozenset({"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"})
    found = [node for node in graph.nodes if node.op_type in ops]
    if found:
        yield Finding(
            rule="integer-operators",
            severity=Severity.BLOCKER,
            message=f"{len(found)} nodes are integer operators ({found[0].op_type} first): TensorRT knows none.",
            remedy="Quantize again in the QDQ format.",
            nodes=_names(found),
        )
