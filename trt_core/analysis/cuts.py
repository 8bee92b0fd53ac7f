"""Single tensors that part a graph in two, and the search among them for the place where an engine goes wrong."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from trt_core.analysis.tensor_groups import depending_on
from trt_core.domain.engine_divergence import CutOutcome
from trt_core.domain.graph import Graph, Node


def cuts_before(graph: Graph, output: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Tensors through which everything on the way from an input to `output` passes, in the file's order.

    With several inputs (tokens and a mask, say) the ways of one of them count: of that which gives the most cuts. A
    fault before such a tensor shows in it; one behind it does not. Only names in `allowed` are given.
    """
    needed = ancestors(graph, output)
    best: tuple[str, ...] = ()
    for spec in graph.inputs:
        found = tuple(name for name in _cuts_of(graph, spec.name, needed) if name in allowed and name != output)
        best = max(best, found, key=len)
    return best


def _cuts_of(graph: Graph, source: str, needed: frozenset[int]) -> list[str]:
    live = depending_on(graph, {source})
    nodes = [node for node in graph.nodes if node.index in needed and any(name in live for name in _read(node))]
    left: dict[str, int] = {}
    for node in nodes:
        for name in set(_read(node)) & live:
            left[name] = left.get(name, 0) + 1
    opened = {source}
    cuts: list[str] = []
    for node in nodes:
        opened.update(name for name in node.outputs if left.get(name))
        for name in set(_read(node)) & live:
            left[name] -= 1
            if not left[name]:
                opened.discard(name)
        if len(opened) == 1 and (only := next(iter(opened))) != source and (not cuts or cuts[-1] != only):
            cuts.append(only)
    return cuts


def _read(node: Node) -> tuple[str, ...]:
    return () if node.op_type in {"Shape", "Size"} else node.inputs


def ancestors(graph: Graph, tensor: str) -> frozenset[int]:
    """Nodes whose work a tensor needs, by index."""
    wanted, found = [tensor], set()
    while wanted:
        index = graph.producer_of.get(wanted.pop())
        if index is not None and index not in found:
            found.add(index)
            wanted.extend(graph.nodes[index].inputs)
    return frozenset(found)


def nodes_between(graph: Graph, clean: str, faulty: str) -> tuple[int, ...]:
    """Nodes that `faulty` needs and that read `clean` or what was made of it; "" for `clean` means the inputs."""
    sources = {clean} if clean else {spec.name for spec in graph.inputs}
    live = depending_on(graph, sources)
    needed = ancestors(graph, faulty)
    return tuple(
        node.index for node in graph.nodes if node.index in needed and any(name in live for name in node.inputs)
    )


@dataclass(kw_only=True)
class CutSearch:
    """Bisection over cuts in topological order, where a cut may also give no answer.

    Everything up to `low` is known to be right, everything from `high` on to be wrong; -1 stands for the inputs,
    `len(cuts)` for the outputs. A cut with which the fault went away, or that cannot be built, is not tried again.
    """

    cuts: Sequence[str]
    low: int = -1
    high: int = field(default=0)
    silent: dict[int, CutOutcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.high = len(self.cuts)

    def next_position(self) -> int | None:
        """The untried cut nearest to the middle; None when nothing is left to ask."""
        middle = (self.low + self.high) / 2
        open_ones = [at for at in range(self.low + 1, self.high) if at not in self.silent]
        return min(open_ones, key=lambda at: (abs(at - middle), at), default=None)

    def learn(self, position: int, outcome: CutOutcome) -> None:
        """Take in what a build with that cut showed."""
        if outcome is CutOutcome.BEFORE:
            self.high = min(self.high, position)
        elif outcome is CutOutcome.AFTER:
            self.low = max(self.low, position)
        else:
            self.silent[position] = outcome

    @property
    def clean(self) -> str:
        """The last cut that is right, "" for the inputs."""
        return self.cuts[self.low] if self.low >= 0 else ""

    @property
    def faulty(self) -> str:
        """The first cut that is wrong, "" for the outputs."""
        return self.cuts[self.high] if self.high < len(self.cuts) else ""
