"""What stands before and after a node that no layer names."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.graph import Graph, Node

Held = dict[int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Layers (by index) of the nearest nodes that layers name, and the graph's inputs and outputs that are nearer."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def neighbours(
    node: Node, graph: Graph, held: Held, *, over: frozenset[str] | None = None, across: frozenset[str] = frozenset()
) -> Neighbours:
    """Walk from a node against and along the data until nodes that layers name.

    Nodes without a layer are walked over; with `over`, only those with such an op, and others end the way. Nodes with
    a layer and an op `across` are noted and walked over as well.
    """
    before, inputs = _walk(node, graph, held, over, across=across, forward=False)
    after, outputs = _walk(node, graph, held, over, across=across, forward=True)
    return Neighbours(before=before, after=after, inputs=inputs, outputs=outputs)


def _walk(
    node: Node, graph: Graph, held: Held, over: frozenset[str] | None, *, across: frozenset[str], forward: bool
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    found: dict[int, None] = {}
    border: dict[str, None] = {}
    ends = {spec.name for spec in (graph.outputs if forward else graph.inputs)}
    waiting, seen = [node], {node.index}
    while waiting:
        here = waiting.pop()
        for name in here.outputs if forward else here.inputs:
            border.update({name: None} if name in ends else {})
            for index in graph.consumers_of.get(name, ()) if forward else _producers(graph, name):
                if index in seen:
                    continue
                seen.add(index)
                layers, op = held.get(index, ()), graph.nodes[index].op_type
                found.update(dict.fromkeys(layers))
                if op in across or (not layers and (over is None or op in over)):
                    waiting.append(graph.nodes[index])
    return tuple(found), tuple(border)


def _producers(graph: Graph, name: str) -> tuple[int, ...]:
    return (graph.producer_of[name],) if name in graph.producer_of else ()
