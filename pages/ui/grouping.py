"""A model's graph in groups by its name scopes: one value for all pages that draw it."""

from __future__ import annotations

from pages.ui.once import once
from trt_core.analysis.graph_groups import GroupedGraph, group_graph
from trt_core.domain.graph import Graph


@once(16)
def by_scope(graph: Graph) -> GroupedGraph:
    """The graph with its tree of groups; the stored graph of a model is one object for all readers."""
    return group_graph(graph, "scope")
