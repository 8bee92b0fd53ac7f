"""Who feeds whom in a graph, in a reading order, with constants moved next to their reader."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trt_core.domain.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Group:
    """A part of a graph that can be drawn as one box.

    `members` are node indices in reading order; `children` are its parts in reading order, empty for a single node.
    The parts of a group never form a cycle, so each level can be drawn top to bottom.
    """

    kind: str  # node, op (a node with its constants), block, repeat, part, scope, layer, root
    label: str
    members: tuple[int, ...]
    children: tuple[Group, ...] = ()

    @property
    def id(self) -> str:
        """Stable name of the box; made of numbers only, because labels are hostile text."""
        return f"{self.kind}:{min(self.members, default=0)}:{len(self.members)}"


@dataclass(frozen=True, kw_only=True)
class Links:
    """The edges between nodes by index, and each node's place in the reading order."""

    graph: Graph
    successors: tuple[tuple[int, ...], ...]
    predecessors: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    position: tuple[int, ...]
    anchor: tuple[int, ...]  # the node a constant belongs to; a computing node is its own
    input_readers: tuple[tuple[int, ...], ...]  # for each graph input

    def sort(self, members: Iterable[int]) -> tuple[int, ...]:
        """Members in reading order."""
        return tuple(sorted(members, key=self.position.__getitem__))


def link(graph: Graph) -> Links:
    """Edges, reading order and constant anchors of a graph; an edge that closes a cycle is left out."""
    count = len(graph.nodes)
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys((a, b) for a, b, _ in graph.edges):
        if source != target:
            after[source].append(target)
    order = _topological(after, range(count))
    position = _inverse(order)
    for source in range(count):
        after[source] = sorted({t for t in after[source] if position[t] > position[source]})
    before: list[list[int]] = [[] for _ in range(count)]
    for source, targets in enumerate(after):
        for target in targets:
            before[target].append(source)
    anchor = _anchors(graph, after, order, position)
    order = _topological(after, [position[a] for a in anchor])
    return Links(
        graph=graph,
        successors=tuple(map(tuple, after)),
        predecessors=tuple(map(tuple, before)),
        order=tuple(order),
        position=tuple(_inverse(order)),
        anchor=tuple(anchor),
        input_readers=tuple(graph.consumers_of.get(spec.name, ()) for spec in graph.inputs),
    )


def quotient(groups: Sequence[Sequence[int]], links: Links) -> set[tuple[int, int]]:
    """Edges between groups of nodes, by position in `groups`."""
    owner = {node: at for at, members in enumerate(groups) for node in members}
    return {
        (at, owner[target])
        for at, members in enumerate(groups)
        for node in members
        for target in links.successors[node]
        if owner.get(target, at) != at
    }


def in_reading_order(groups: Sequence[Group], links: Links) -> list[Group]:
    """Groups sorted so that each comes after what feeds it, as close to the reading order as that allows."""
    after: list[list[int]] = [[] for _ in groups]
    for source, target in quotient([group.members for group in groups], links):
        after[source].append(target)
    first = [min(links.position[node] for node in group.members) for group in groups]
    return [groups[at] for at in _topological(after, first)]


def _topological(after: Sequence[Sequence[int]], priority: Sequence[int]) -> list[int]:
    waiting = [0] * len(after)
    for targets in after:
        for target in targets:
            waiting[target] += 1
    ready = [(priority[at], at) for at, open_inputs in enumerate(waiting) if not open_inputs]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, at = heapq.heappop(ready)
        order.append(at)
        for target in after[at]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (priority[target], target))
    if len(order) < len(after):  # a cycle: the file's own order for what is caught in it
        seen = set(order)
        order += [at for at in range(len(after)) if at not in seen]
    return order


def _inverse(order: Sequence[int]) -> list[int]:
    position = [0] * len(order)
    for place, at in enumerate(order):
        position[at] = place
    return position


def _anchors(graph: Graph, after: Sequence[Sequence[int]], order: Sequence[int], position: Sequence[int]) -> list[int]:
    constant: set[str] = set(graph.initializers)
    made: set[int] = set()
    for at in order:
        node = graph.nodes[at]
        if all(not name or name in constant for name in node.inputs) and not node.subgraph_nodes:
            made.add(at)
            constant.update(node.outputs)
    anchor = list(range(len(order)))
    for at in reversed(order):
        if at in made and after[at]:
            anchor[at] = min((anchor[t] for t in after[at]), key=position.__getitem__)
    return anchor
