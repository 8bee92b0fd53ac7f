"""What to do about a node that a parser refuses."""

from __future__ import annotations

from trt_core.domain.graph import Graph, Node

_EXTRACT = "or extract it and leave it to ONNX Runtime: the rest can still be built"
_INTEGER_OPS = frozenset(
    {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd"}
)
_OUTSIDE = ("String", "Sequence", "Optional", "Regex", "TfIdf", "ImageDecoder", "SplitToSequence", "ConcatFromSequence")
_TRAINING = frozenset({"BatchNormalization", "Dropout", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})


def remedy_for(node: Node, *, reason: str, graph: Graph) -> str:
    """The next step for a refused node: the cheapest one that its op and the parser's reason allow."""
    if node.domain not in ("", "ai.onnx"):
        return (
            f"{node.domain}::{node.op_type} is no ONNX op: export it as ONNX ops, "
            f"or provide a TensorRT plugin named {node.op_type}; the parts around it can still be built."
        )
    if _reads_constants_only(node, graph):
        return "All its inputs are constant: fold constants, and the node disappears."
    if "plugin registry" in reason or "plugin creator" in reason:
        return f"It needs a plugin that TensorRT's own package may bring and TensorRT-RTX's does not, {_EXTRACT}."
    if node.op_type in _INTEGER_OPS:
        return "Quantize with Q/DQ pairs instead of integer operators (QDQ format)."
    if node.op_type in _TRAINING:
        return "Export the model in inference mode."
    if node.op_type.startswith(_OUTSIDE):
        return f"Do this step before or after the model, {_EXTRACT}."
    if "Shape Error" in reason or "dimensions" in reason.lower():
        return "Correct the shapes at this node and export again."
    if "type" in reason.lower() and "must have" in reason:
        return "Cast its inputs to one type and export again."
    if _is_function(node.op_type):
        return f"ONNX defines it through simpler ops: inline it or export with an older opset, {_EXTRACT}."
    return f"Export with another opset or replace {node.op_type} by supported ops, {_EXTRACT}."


def _reads_constants_only(node: Node, graph: Graph) -> bool:
    named = [name for name in node.inputs if name]
    return bool(named) and all(_is_constant(name, graph) for name in named)


def _is_constant(tensor: str, graph: Graph) -> bool:
    if tensor in graph.initializers:
        return True
    producer = graph.producer_of.get(tensor)
    return producer is not None and graph.nodes[producer].op_type == "Constant"


def _is_function(op_type: str) -> bool:
    import onnx

    if not onnx.defs.has(op_type):
        return False
    schema = onnx.defs.get_schema(op_type)
    return bool(schema.has_function or schema.has_context_dependent_function)
