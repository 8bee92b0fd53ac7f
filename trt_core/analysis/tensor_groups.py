"""Which inner tensors of an engine are read together, so that what they take stays inside a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.engine_divergence import TensorGroup
from trt_core.domain.graph import Graph


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """Groups in topological order, and the tensors that none of them holds with the reason of each."""

    groups: tuple[TensorGroup, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def plan_groups(
    tensors: Sequence[str], sizes: Mapping[str, int | None], budget_bytes: int, *, most: int | None = None
) -> GroupPlan:
    """Neighbours go together until the next one does not fit any more; at most `most` groups.

    `tensors` are in topological order, `sizes` in bytes at the shape that will be run. Left out are tensors of unknown
    size, those that are larger than the budget alone, and what `most` groups do not hold. ValueError for a budget
    below one byte.
    """
    if budget_bytes < 1:
        raise ValueError(f"a budget of {budget_bytes} bytes holds nothing")
    groups: list[TensorGroup] = []
    left_out = []
    for name in dict.fromkeys(tensors):
        size = sizes.get(name)
        if size is None:
            left_out.append((name, "its size is not known"))
        elif size > budget_bytes:
            left_out.append((name, f"its {size:,} bytes are over the budget of {budget_bytes:,}"))
        elif groups and groups[-1].size_bytes + size <= budget_bytes:
            last = groups[-1]
            groups[-1] = TensorGroup(tensors=(*last.tensors, name), size_bytes=last.size_bytes + size)
        else:
            groups.append(TensorGroup(tensors=(name,), size_bytes=size))
    for group in groups[most:] if most is not None else ():
        left_out += [(name, f"it would take more than {most} engines") for name in group.tensors]
    return GroupPlan(groups=tuple(groups[:most]), left_out=tuple(left_out))


def comparable_tensors(built: Graph, original: Graph) -> tuple[str, ...]:
    """Inner floating tensors that the built file and the model both have, in the file's (topological) order.

    Left out: outputs of the model, which every engine hands out; what depends on constants only; and what a cast or a
    Q/DQ pair of the variant writes under a name of its own.
    """
    ends = {spec.name for spec in built.outputs}
    live = depending_on(built, {spec.name for spec in built.inputs})
    found = []
    for node in built.nodes:
        for name in node.outputs:
            spec = built.tensors.get(name)
            known = name in live and name not in ends and name in original.producer_of
            if known and (spec is None or spec.is_floating):
                found.append(name)
    return tuple(dict.fromkeys(found))


def border_tensors(record: EngineRecord, tensors: Iterable[str]) -> tuple[str, ...]:
    """Those of `tensors` that the plain engine writes between two layers: marking them splits no fusion by itself."""
    written = {tensor.name for layer in record.working_layers for tensor in layer.outputs}
    return tuple(name for name in tensors if name in written)


def is_opaque(layer: EngineLayer) -> bool:
    """True for a block that the compiler made of many nodes and does not take apart in its record."""
    return layer.name.startswith("{ForeignNode[") and not layer.source_names


def depending_on(graph: Graph, sources: set[str]) -> frozenset[str]:
    """Tensors whose values change with those of `sources`, these included; sizes of a tensor are no values of it."""
    live = set(sources)
    for node in graph.nodes:
        if node.op_type not in {"Shape", "Size"} and (node.subgraph_nodes or any(name in live for name in node.inputs)):
            live.update(name for name in node.outputs if name)
    return frozenset(live)
