"""Part of a graph as a model of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trt_core.errors import NotFound
from trt_core.onnx_graph.functions import called_functions
from trt_core.onnx_graph.inference import Inferred, infer_types
from trt_core.onnx_graph.structure import captured, reads

if TYPE_CHECKING:
    import onnx


def extract_nodes(
    model: onnx.ModelProto, indices: Iterable[int], *, inferred: Inferred | None = None
) -> onnx.ModelProto:
    """A model of only those top-level nodes, in file order, with its boundary tensors as inputs and outputs.

    Inputs and outputs are typed by shape inference; one whose type is not known is taken as float32 of unknown shape.
    Initializers that the nodes read (also from inside subgraph bodies), functions and opset imports are kept;
    external data stay where they are. `inferred` saves the inference when many parts of one model are taken.
    Raises NotFound for an index that the model does not have, or no index at all.
    """
    import onnx

    chosen = sorted(set(indices))
    count = len(model.graph.node)
    wrong = [index for index in chosen if not 0 <= index < count]
    if wrong or not chosen:
        what = f"There is no node {wrong[0]}" if wrong else "No node was chosen"
        raise NotFound(f"{what}; the model has nodes 0 to {count - 1}.", remedy="Choose nodes of this model.")
    types = dict((inferred or infer_types(model)).types)
    part = onnx.ModelProto()
    part.ir_version, part.producer_name = model.ir_version, model.producer_name
    part.opset_import.extend(model.opset_import)
    graph = part.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node[index] for index in chosen)
    inputs = _keep_initializers(model.graph, graph)
    graph.input.extend(_value_info(name, types) for name in inputs)
    graph.output.extend(_value_info(name, types) for name in _outputs(model.graph, set(chosen)))
    border = {*inputs, *(value.name for value in graph.output)}
    inner = (name for node in graph.node for name in node.output if name and name not in border)
    graph.value_info.extend(_value_info(name, types) for name in inner if name in types)
    part.functions.extend(called_functions(model, graph.node))
    return part


def _keep_initializers(source: Any, graph: Any) -> list[str]:
    """Copy the initializers that the nodes of `graph` read; the names that must become inputs."""
    needed = captured(graph)
    stored = {tensor.name: tensor for tensor in source.initializer}
    sparse = {item.values.name: item for item in source.sparse_initializer}
    graph.initializer.extend(stored[name] for name in needed if name in stored)
    graph.sparse_initializer.extend(sparse[name] for name in needed if name in sparse)
    return [name for name in needed if name not in stored and name not in sparse]


def _outputs(source: Any, chosen: set[int]) -> list[str]:
    """What the chosen nodes write for others, for the model's outputs, or for nobody (a part without readers)."""
    read_outside = {value.name for value in source.output}
    read_inside: set[str] = set()
    for index, node in enumerate(source.node):
        (read_inside if index in chosen else read_outside).update(reads(node))
    written = [name for index in sorted(chosen) for name in source.node[index].output if name]
    outputs = [name for name in written if name in read_outside]
    return outputs or [name for name in written if name not in read_inside]


def _value_info(name: str, types: dict[str, Any]) -> Any:
    import onnx

    value = onnx.ValueInfoProto()
    value.name = name
    kind = types.get(name)
    if kind is not None and kind.WhichOneof("value") and not _is_untyped(kind):
        value.type.CopyFrom(kind)
    else:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return value


def _is_untyped(kind: Any) -> bool:
    return bool(kind.HasField("tensor_type") and not kind.tensor_type.elem_type)
