"""Whether a model's graph makes sense: opsets, order, names, and the ONNX checker's own rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.functions import check_functions
from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.opset_age import newer_node
from trt_core.onnx_graph.skeleton import make_skeleton, with_node_names
from trt_core.onnx_graph.tensors import shown, subgraphs

_DEFAULT_DOMAINS = ("", "ai.onnx")
_LARGEST_DIMENSION = 2**31 - 1
_USUAL_OPSET = 17


def check_structure(model: Any) -> None:
    """Raise UnreadableModel for an empty or cyclic graph, bad ends, a wrong opset, and what the checker refuses."""
    import onnx

    if not model.graph.node:
        raise UnreadableModel("The model has no nodes.", remedy="Export a model that computes something.")
    check_opset(model)
    check_ends(model.graph)
    check_sizes(model.graph)
    check_order(model.graph)
    check_functions(model)
    skeleton, _ = make_skeleton(model)
    for value in (*skeleton.graph.input, *skeleton.graph.output):
        # The checker wants a shape; some exporters leave it out, and everything downstream copes.
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(skeleton)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        _refuse_newer_node(model, str(error))
        raise UnreadableModel(
            f"The ONNX checker refuses the model: {_first_line(str(error), model)}",
            remedy="Export the model again, with a current exporter.",
            details=str(error)[:4000],
        ) from None


def _refuse_newer_node(model: Any, details: str) -> None:
    found = newer_node(model)
    if found is None:
        return
    raise UnreadableModel(
        f"The model says opset {found.declared}, but node {shown(found.name)} is a {found.op_type} as opset "
        f"{found.needed} has it: in opset {found.declared} it takes other inputs, outputs or attributes.",
        remedy=f"Export the model at opset {max(found.needed, _USUAL_OPSET)}, or correct the opset that it names.",
        details=details[:4000],
    ) from None


def check_opset(model: Any) -> None:
    """Raise UnreadableModel when the default domain's opset is missing, below 1 or newer than the onnx package."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    versions = [item.version for item in model.opset_import if item.domain in _DEFAULT_DOMAINS]
    if not versions:
        if all(node.domain not in _DEFAULT_DOMAINS for node in model.graph.node):
            return
        raise UnreadableModel(
            "The model names no opset for the default ONNX domain.", remedy="Export the model again, at opset 17 or so."
        )
    if len(set(versions)) > 1:
        raise UnreadableModel(
            f"The model names the opsets {sorted(set(versions))} for one domain.", remedy="Export the model again."
        )
    if not 1 <= versions[0] <= newest:
        raise UnreadableModel(
            f"The model asks for opset {versions[0]}; known are 1 to {newest}.",
            remedy=f"Export the model at an opset up to {newest}.",
        )
    if not 1 <= model.ir_version <= onnx.IR_VERSION:
        raise UnreadableModel(
            f"The model has IR version {model.ir_version}; known are 1 to {onnx.IR_VERSION}.",
            remedy="Export the model with an older exporter, or install a newer onnx package.",
        )


def check_ends(graph: Any) -> None:
    """Raise UnreadableModel for a graph that gives nothing back, or takes a tensor that can hold no element."""
    if not graph.output:
        raise UnreadableModel(
            "The graph names no output.", remedy="Export the model with the tensors that it should return."
        )
    fed = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in fed and any(dim.HasField("dim_value") and dim.dim_value == 0 for dim in dims):
            raise UnreadableModel(
                f"Input {shown(value.name)} declares a dimension of 0: it can hold no element.",
                remedy="Export the model with that dimension's size, or with a symbol for it.",
            )


def check_sizes(graph: Any) -> None:
    """Raise UnreadableModel when a tensor declares a dimension above the 31 bits that TensorRT has for one."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value > _LARGEST_DIMENSION:
                raise UnreadableModel(
                    f"Tensor {shown(value.name)} declares a dimension of {dim.dim_value:,}; "
                    f"the limit is {_LARGEST_DIMENSION:,}.",
                    remedy="Export the model again, with that dimension dynamic.",
                )


def reads(node: Any) -> Iterable[str]:
    """Names that a node reads, with those that its subgraph bodies take from outside."""
    yield from (name for name in node.input if name)
    for body in subgraphs(node):
        yield from captured(body)


def captured(graph: Any) -> list[str]:
    """Names that a subgraph body takes from the graphs around it, in order of first use."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {sparse.values.name for sparse in graph.sparse_initializer}
    found: dict[str, None] = {}
    for node in graph.node:
        found.update((name, None) for name in reads(node) if name not in own)
        own.update(node.output)
    found.update((value.name, None) for value in graph.output if value.name not in own)
    return list(found)


def check_order(graph: Any) -> None:
    """Raise UnreadableModel for a cycle, nodes out of order, and a tensor that nothing writes, or two nodes do."""
    producer = _producers(graph)
    written = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer} | set(producer)
    written |= {sparse.values.name for sparse in graph.sparse_initializer}
    sources = [list(reads(node)) for node in graph.node]
    for node, names in zip(graph.node, sources, strict=True):
        for name in names:
            if name not in written:
                raise UnreadableModel(
                    f"Node {shown(node_name(node))} reads {shown(name)}, which nothing in the model writes.",
                    remedy="Export the model again.",
                )
    edges = [[producer[name] for name in names if name in producer] for names in sources]
    if all(source < index for index, inner in enumerate(edges) for source in inner):
        return
    cycle = _cycle(edges)
    if cycle:
        names = [shown(node_name(graph.node[index])) for index in cycle[:5]]
        more = f" and {len(cycle) - 5} more" if len(cycle) > 5 else ""
        raise UnreadableModel(
            f"The graph has a cycle through {', '.join(names)}{more}.",
            remedy="A graph must have no cycles: export it again.",
        )
    late, early = next((index, max(inner)) for index, inner in enumerate(edges) if inner and max(inner) >= index)
    first, second = (shown(node_name(graph.node[index])) for index in (late, early))
    raise UnreadableModel(
        f"Node {first} comes before {second}, which it reads.",
        remedy="Nodes must be in topological order: export the model again.",
    )


def _producers(graph: Any) -> dict[str, int]:
    producer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name and producer.setdefault(name, index) != index:
                raise UnreadableModel(
                    f"Tensor {shown(name)} is written twice, by {shown(node_name(graph.node[producer[name]]))} and "
                    f"{shown(node_name(node))}.",
                    remedy="Export the model again.",
                )
    return producer


def _cycle(edges: list[list[int]]) -> list[int]:
    """Indices of one cycle, empty when there is none: depth-first with an explicit stack, as graphs are deep."""
    state = [0] * len(edges)  # 0 unseen, 1 on the path, 2 done
    for start in range(len(edges)):
        if state[start]:
            continue
        path, pending = [start], [iter(edges[start])]
        state[start] = 1
        while path:
            following = next(pending[-1], None)
            if following is None:
                state[path.pop()] = 2
                pending.pop()
            elif state[following] == 1:
                return path[path.index(following) :]
            elif state[following] == 0:
                state[following] = 1
                path.append(following)
                pending.append(iter(edges[following]))
    return []


def _first_line(text: str, model: Any) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "no reason given").strip()
    line = with_node_names(line, model)
    line = line if len(line) <= 300 else f"{line[:300]}…"
    return line if line.endswith(".") else f"{line}."
