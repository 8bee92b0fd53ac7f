"""What the fusion page draws: places and flows, computed from the map alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from trt_core.domain.fusion import FusionMap, MappedLayer, NodeState
from trt_core.domain.precision import Precision

OTHER_OPS = "other ops"
_LEAST_SHARE = 0.02  # of the nodes; a thinner band has no room for its label


@dataclass(frozen=True, kw_only=True)
class NodeLink:
    """A line from a node to a layer that holds it, both ends between 0 and 1 along their own row."""

    node: int
    layer: int
    node_at: float
    layer_at: float
    state: NodeState


@dataclass(frozen=True, kw_only=True)
class LinkPicture:
    """Nodes above in file order, engine layers below in execution order. Positions lie between 0 and 1."""

    nodes: dict[int, float]
    layers: dict[int, float]
    links: tuple[NodeLink, ...]


def link_picture(fusion: FusionMap) -> LinkPicture:
    """The two rows and every line between them."""
    nodes = _spread([node.index for node in fusion.nodes])
    layers = _spread([layer.index for layer in fusion.layers])
    links = tuple(
        NodeLink(node=node.index, layer=layer, node_at=nodes[node.index], layer_at=layers[layer], state=node.state)
        for node in fusion.nodes
        for layer in node.layers
        if layer in layers
    )
    return LinkPicture(nodes=nodes, layers=layers, links=links)


def _spread(indices: Collection[int]) -> dict[int, float]:
    return {index: (place + 0.5) / len(indices) for place, index in enumerate(indices)}


@dataclass(frozen=True, kw_only=True)
class Flow:
    """So many nodes of an op end in layers of a precision, or in a state without a layer of their own."""

    op_type: str
    end: Precision | NodeState
    nodes: int


def op_flows(fusion: FusionMap, *, most_ops: int = 14) -> tuple[Flow, ...]:
    """Where the ops end: the precision of a node's first engine layer, else the node's state; rare ops are joined.

    However large the model, there are at most `most_ops` + 1 ops and one end for each precision and state. Rare are ops
    beyond the `most_ops` most frequent, and those below 2 % of the nodes where there are several of them.
    """
    precision_of = {layer.index: layer.precision for layer in fusion.layers}
    frequent = Counter(node.op_type for node in fusion.nodes).most_common()
    thin = sum(count < _LEAST_SHARE * len(fusion.nodes) for _, count in frequent)
    common = {op for op, _ in frequent[: min(most_ops, len(frequent) - thin if thin > 1 else len(frequent))]}
    counted: Counter[tuple[str, Precision | NodeState]] = Counter()
    for node in fusion.nodes:
        holder = next((index for index in node.layers if index in precision_of), None)
        held = holder is not None and node.state is not NodeState.FOLDED
        end: Precision | NodeState = precision_of[holder] if held and holder is not None else node.state
        counted[node.op_type if node.op_type in common else OTHER_OPS, end] += 1
    return tuple(Flow(op_type=op, end=end, nodes=count) for (op, end), count in counted.most_common())


@dataclass(frozen=True, kw_only=True)
class MissingFusion:
    """An expected fusion that did not happen: the span of its layers in execution order, counted from 1, and a level.

    Blocks of one level do not overlap; more than `MOST_LEVELS` share the last one.
    """

    pattern: str
    reason: str
    layers: tuple[int, ...]  # indices, in execution order
    nodes: int
    first: int
    last: int
    level: int


MOST_LEVELS = 4


def missing_fusions(fusion: FusionMap) -> tuple[MissingFusion, ...]:
    """The expected fusions that did not happen, from left to right; those without a layer are left out."""
    place = {layer.index: number for number, layer in enumerate(fusion.layers, start=1)}
    spans = []
    for match in fusion.patterns:
        held = sorted((index for index in match.layers if index in place), key=place.__getitem__)
        if held and not match.fused:
            spans.append((place[held[0]], place[held[-1]], tuple(held), match))
    found = []
    free = [0] * MOST_LEVELS  # the last place that each level covers
    for first, last, layers, match in sorted(spans, key=lambda span: span[:2]):
        level = next((number for number, end in enumerate(free) if end < first), MOST_LEVELS - 1)
        free[level] = max(free[level], last)
        found.append(
            MissingFusion(
                pattern=match.pattern,
                reason=match.reason,
                layers=layers,
                nodes=len(match.nodes),
                first=first,
                last=last,
                level=level,
            )
        )
    return tuple(found)


def nodes_held(fusion: FusionMap, layer: int) -> tuple[int, ...]:
    """Original nodes of an engine layer, those that a rule or a folding put there included, in file order."""
    return tuple(node.index for node in fusion.nodes if layer in node.layers)


def layers_of_nodes(fusion: FusionMap) -> dict[int, int]:
    """The first engine layer of every node that has one: the groups of a graph drawn by engine layer."""
    return {node.index: node.layers[0] for node in fusion.nodes if node.layers}


def colour_keys(fusion: FusionMap) -> dict[int, str]:
    """A colour key a node: the precision of its engine layer, or its state where it has none."""
    precision_of = {layer.index: layer.precision.value for layer in fusion.layers}
    return {
        node.index: next((precision_of[index] for index in node.layers if index in precision_of), node.state.value)
        for node in fusion.nodes
    }


@dataclass(frozen=True, kw_only=True)
class StateCause:
    """A state with the rule or step that says so (what stands before a colon), and the nodes that it covers."""

    state: NodeState
    by: str
    nodes: tuple[int, ...]


def causes(fusion: FusionMap) -> tuple[StateCause, ...]:
    """Who says what became of the nodes: rule by rule, most nodes first within each state."""
    found: dict[tuple[NodeState, str], list[int]] = defaultdict(list)
    for node in fusion.nodes:
        found[node.state, node.by.partition(":")[0]].append(node.index)
    order = list(NodeState)
    ranked = sorted(found.items(), key=lambda item: (order.index(item[0][0]), -len(item[1])))
    return tuple(StateCause(state=state, by=by, nodes=tuple(nodes)) for (state, by), nodes in ranked)


def has_sizes(layers: Collection[MappedLayer]) -> bool:
    """True when the record gives the bytes that at least one layer writes."""
    return any(layer.output_bytes for layer in layers)


def size_unit(layers: Collection[MappedLayer]) -> tuple[str, int]:
    """The unit in which the layers' outputs read well, and its bytes."""
    largest = max((layer.output_bytes for layer in layers), default=0)
    return ("MiB", 1 << 20) if largest >= 1 << 19 else ("KiB", 1 << 10)
