"""Turn a graph into a tree of groups: by name scopes, by blocks, or by engine layers."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from trt_core.analysis.graph_blocks import WIDE, arrange
from trt_core.analysis.graph_links import Group, Links, in_reading_order, link, quotient
from trt_core.analysis.graph_split import split_cycles
from trt_core.domain.graph import Graph

Grouping = Literal["scope", "blocks", "engine"]
_TARGET = 48  # boxes that a first view opens up to: readable without zooming on a laptop
_DEEPEST = 12  # scopes below this depth are drawn as one level


@dataclass(frozen=True, kw_only=True)
class GroupedGraph:
    """A graph with its tree of groups: what is worth keeping between two views."""

    graph: Graph
    grouping: Grouping
    root: Group

    @cached_property
    def identity(self) -> str:
        """Twelve hexadecimal digits that change with the nodes, the grouping, or the groups of the first level."""
        digest = hashlib.sha256(self.grouping.encode())
        for node in self.graph.nodes:
            digest.update(f"{node.op_type}\0{node.name}\0".encode(errors="surrogatepass"))
        for child in self.root.children:
            digest.update(f"{child.id}\0".encode())
        return digest.hexdigest()[:12]

    def walk(self) -> Iterator[tuple[Group, tuple[str, ...]]]:
        """Every group with the ids of the groups around it, outermost first."""
        stack: list[tuple[Group, tuple[str, ...]]] = [(child, ()) for child in reversed(self.root.children)]
        while stack:
            group, around = stack.pop()
            yield group, around
            stack.extend((child, (*around, group.id)) for child in reversed(group.children))

    def first_expansion(self, target: int = _TARGET) -> frozenset[str]:
        """Ids to open at first: whole levels, or only repetitions, as long as at most `target` boxes show."""
        opened: set[str] = set()
        shown = list(self.root.children)
        while True:
            closed = [group for group in shown if group.children and group.kind != "op"]
            rounds = (closed, [g for g in closed if g.kind in ("repeat", "layer", "scope")], _dominant(closed))
            for chosen in rounds:
                size = len(shown) + sum(len(group.children) - 1 for group in chosen)
                if chosen and size <= target:
                    break
            else:
                return frozenset(opened)
            opened.update(group.id for group in chosen)
            ids = {group.id for group in chosen}
            shown = [g for group in shown for g in (group.children if group.id in ids else (group,))]

    def locate(self, node: int) -> tuple[str, tuple[str, ...]] | None:
        """Id of the box that shows a node, and of the groups to open for it, outermost first; None for no such node."""
        for group, around in self.walk():
            if group.kind == "node" and group.members == (node,):
                return group.id, around
            if group.kind == "op" and group.members[-1] == node:
                return group.id, around
        return None


def _dominant(closed: list[Group]) -> list[Group]:
    if not closed:
        return []
    largest = max(closed, key=lambda group: len(group.members))
    total = sum(len(group.members) for group in closed)
    return [largest] if 2 * len(largest.members) > total else []


def group_graph(
    graph: Graph,
    grouping: Grouping,
    *,
    layer_of: Mapping[int, int] | None = None,
    layer_names: Mapping[int, str] | None = None,
) -> GroupedGraph:
    """A graph with its tree of groups, whose root holds every node.

    `layer_of` gives the engine layer of a node index and is needed for grouping `engine`; nodes without a layer stand
    alone. A level never closes a cycle: a scope or layer that would is cut into parts with the same label.
    """
    links = link(graph)
    leaves = _leaves(links)
    if grouping == "engine":
        if layer_of is None:
            raise ValueError("grouping by engine layers needs layer_of")
        children = _by_layer(leaves, links, layer_of, layer_names or {})
    elif grouping == "scope":
        children = _by_scope(leaves, _scopes(leaves, links), links, 0)
    else:
        children = arrange(leaves, links) if len(leaves) > WIDE // 2 else tuple(in_reading_order(leaves, links))
    root = Group(kind="root", label="", members=links.order, children=children)
    return GroupedGraph(graph=graph, grouping=grouping, root=root)


def _leaves(links: Links) -> list[Group]:
    """One leaf a node; constants that only feed one node's inputs are folded into that node's box."""
    owned: dict[int, list[int]] = {}
    for node in links.order:
        owned.setdefault(links.anchor[node], []).append(node)
    leaves = []
    for main, members in owned.items():
        op = links.graph.nodes[main].op_type
        single = Group(kind="node", label=op, members=(main,))
        if len(members) == 1:
            leaves.append(single)
            continue
        parts = tuple(Group(kind="node", label=links.graph.nodes[n].op_type, members=(n,)) for n in members)
        leaves.append(Group(kind="op", label=op, members=tuple(members), children=parts))
    return leaves


def _scopes(leaves: Sequence[Group], links: Links) -> dict[int, tuple[str, ...]]:
    """Scope of each leaf's main node; a node without one gets what those around it share."""
    scope_of: dict[int, tuple[str, ...]] = {}
    for leaf in leaves:
        parts = [part for part in links.graph.nodes[leaf.members[-1]].name.split("/") if part]
        scope_of[leaf.members[-1]] = tuple(parts[:-1][:_DEEPEST])
    if not any(scope_of.values()):
        return scope_of
    for node in sorted(scope_of, key=links.position.__getitem__):
        if not scope_of[node]:
            near = [*links.predecessors[node], *links.successors[node]]
            scopes = [scope for other in near if (scope := scope_of.get(other))]
            if scopes:
                shared = zip(min(scopes), max(scopes), strict=False)  # what the extremes share, all share
                scope_of[node] = tuple(one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], shared))
    return scope_of


def _by_scope(
    leaves: Sequence[Group], scope_of: Mapping[int, tuple[str, ...]], links: Links, depth: int
) -> tuple[Group, ...]:
    """Groups of one level: leaves whose scope ends here stand alone, the others fall into the next scope."""
    scopes = [scope_of[leaf.members[-1]] for leaf in leaves]
    if all(len(scope) > depth for scope in scopes) and len({scope[depth] for scope in scopes}) == 1:
        return _by_scope(leaves, scope_of, links, depth + 1)
    if all(len(scope) <= depth for scope in scopes):
        return arrange(leaves, links) if len(leaves) > WIDE // 2 else tuple(in_reading_order(leaves, links))

    def label(leaf: Group) -> str:
        scope = scope_of[leaf.members[-1]]
        return scope[depth] if len(scope) > depth else _alone(leaf)

    groups = [_scope_group(name, inside, scope_of, links, depth) for name, inside in _split(leaves, links, label)]
    return arrange(groups, links) if len(groups) > WIDE else tuple(in_reading_order(groups, links))


def _alone(leaf: Group) -> str:
    # No scope and no layer can have this label: scopes hold no slash, layers are numbers.
    return f"/{leaf.members[-1]}"


def _split(leaves: Sequence[Group], links: Links, label: Callable[[Group], str]) -> list[tuple[str, tuple[Group, ...]]]:
    """Leaves by label, cut where a label's leaves would close a cycle."""
    ordered = in_reading_order(leaves, links)
    names = split_cycles([label(leaf) for leaf in ordered], quotient([leaf.members for leaf in ordered], links))
    parts: dict[tuple[str, int], list[Group]] = {}
    for leaf, name in zip(ordered, names, strict=True):
        parts.setdefault(name, []).append(leaf)
    return [(text, tuple(inside)) for (text, _), inside in parts.items()]


def _scope_group(
    label: str, leaves: Sequence[Group], scope_of: Mapping[int, tuple[str, ...]], links: Links, depth: int
) -> Group:
    if len(leaves) == 1:
        return leaves[0]
    shared = depth + 1
    first = scope_of[leaves[0].members[-1]]
    while all(len(scope_of[leaf.members[-1]]) > shared for leaf in leaves) and (
        len({scope_of[leaf.members[-1]][shared] for leaf in leaves}) == 1
    ):
        shared += 1
    children = _by_scope(leaves, scope_of, links, shared)
    members = links.sort(node for leaf in leaves for node in leaf.members)
    name = "/".join((label, *first[depth + 1 : shared]))
    return Group(kind="scope", label=name, members=members, children=children)


def _by_layer(
    leaves: Sequence[Group], links: Links, layer_of: Mapping[int, int], names: Mapping[int, str]
) -> tuple[Group, ...]:
    def label(leaf: Group) -> str:
        layer = layer_of.get(leaf.members[-1])
        return _alone(leaf) if layer is None else str(layer)

    groups: list[Group] = []
    for text, inside in _split(leaves, links, label):
        if text.startswith("/"):
            groups.extend(inside)
            continue
        members = tuple(node for leaf in inside for node in leaf.members)
        name = names.get(int(text), f"Layer {text}")
        groups.append(Group(kind="layer", label=name, members=members, children=inside))
    ordered = tuple(in_reading_order(groups, links))
    return ordered if len(ordered) <= 3 * WIDE else arrange(ordered, links)
