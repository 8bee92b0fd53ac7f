"""What stands before and after a node that no layer names."""

from __future__ import annotations

from collections.abc import Iterable
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


@dataclass(frozen=True)
class _Way:
    """How to walk: along the data or against them, over which ops without a layer, across which with one."""

    forward: bool
    over: frozenset[str] | None
    across: frozenset[str]


_Seen = tuple[dict[int, None], dict[str, None]]  # layers, and inputs or outputs of the graph, in the order met


class Surroundings:
    """Neighbours of every node of a graph; `held` gives the layers that name a node, by node index.

    What a walk finds beyond a node is kept, so that each edge is walked once: a long chain of nodes that no layer names
    would otherwise be walked again from each of them.
    """

    def __init__(self, graph: Graph, held: Held) -> None:
        self._graph = graph
        self._held = held
        self._ends = {
            False: {spec.name for spec in graph.inputs},
            True: {spec.name for spec in graph.outputs},
        }
        self._walked: dict[_Way, dict[int, _Seen]] = {}

    def of(self, node: Node, *, over: frozenset[str] | None = None, across: frozenset[str] = frozenset()) -> Neighbours:
        """Walk from a node against and along the data until nodes that layers name.

        Nodes without a layer are walked over; with `over`, only those with such an op, and others end the way. Nodes
        with a layer and an op `across` are noted and walked over as well.
        """
        before, inputs = self._all(_Way(False, over, across))[node.index]
        after, outputs = self._all(_Way(True, over, across))[node.index]
        return Neighbours(before=tuple(before), after=tuple(after), inputs=tuple(inputs), outputs=tuple(outputs))

    def _all(self, way: _Way) -> dict[int, _Seen]:
        if way not in self._walked:
            # In the file's order producers come first, so that what lies beyond a neighbour is known already.
            nodes = reversed(self._graph.nodes) if way.forward else self._graph.nodes
            found: dict[int, _Seen] = {}
            for node in nodes:
                found[node.index] = self._from(node, way, found)
            self._walked[way] = found
        return self._walked[way]

    def _from(self, node: Node, way: _Way, found: dict[int, _Seen]) -> _Seen:
        layers: dict[int, None] = {}
        border: dict[str, None] = {}
        beyond: dict[int, None] = {}
        for name in node.outputs if way.forward else node.inputs:
            if name in self._ends[way.forward]:
                border[name] = None
            for index in self._next(name, way):
                held = self._held.get(index, ())
                op = self._graph.nodes[index].op_type
                layers.update(dict.fromkeys(held))
                if op in way.across or (not held and (way.over is None or op in way.over)):
                    beyond[index] = None
        for index in reversed(beyond):
            more_layers, more_border = found[index]
            layers.update(more_layers)
            border.update(more_border)
        return layers, border

    def _next(self, name: str, way: _Way) -> Iterable[int]:
        if way.forward:
            return self._graph.consumers_of.get(name, ())
        return (self._graph.producer_of[name],) if name in self._graph.producer_of else ()
