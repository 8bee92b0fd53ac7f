"""The map between a model's nodes and an engine's layers, both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trt_core.analysis.absorption import absorb
from trt_core.analysis.constants import provably_folded
from trt_core.analysis.engine_flow import EngineFlow
from trt_core.analysis.engine_profiles import further_profiles, in_first_profile, profile_findings
from trt_core.analysis.neighbours import Surroundings
from trt_core.analysis.patterns import match_patterns, match_quantized
from trt_core.analysis.traffic import engine_tensor_bytes, saved_bytes
from trt_core.analysis.whole_graph_rules import explained_by_the_whole
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.fusion import FusionMap, FusionStep, MappedLayer, NodeFate, NodeState, PatternMatch
from trt_core.domain.graph import Graph, Node
from trt_core.domain.precision import Provenance

COMPILER_MADE = "made by the compiler"
COMPILERS_RECORD = "the compiler's record"
NAME_OF_LAYER = "the layer's own name: the record lists no nodes"
VARIANT_MADE = "casts and Q/DQ of the variant"


@dataclass(frozen=True, kw_only=True)
class _Fate:
    state: NodeState
    layers: tuple[int, ...] = ()
    by: str = ""


def map_fusion(
    *,
    build_id: str,
    stamp: str,
    graph: Graph,
    provenance: Provenance,
    variant_graph: Graph,
    record: EngineRecord,
    normalized_steps: tuple[FusionStep, ...] = (),
) -> FusionMap:
    """Say of every original node what became of it, and of every engine layer which nodes it computes.

    `graph` is the uploaded model, `variant_graph` the file that was built, `provenance` the way between their nodes; an
    empty one says that both have the same nodes. Layers keep the indices of `record`; synchronisation records are left
    out. A layer's `nodes` are those that the compiler's record names; what a rule infers stands in `NodeFate.layers`.
    Where each of several optimization profiles has layers of its own, patterns and saved bytes are those of the first.
    """
    sources = _sources(variant_graph, provenance)
    held, ambiguous = _held(variant_graph, record)
    fates = _variant_fates(variant_graph, record, held, ambiguous)
    layers = tuple(_mapped_layer(layer, variant_graph, sources) for layer in record.working_layers)
    nodes = _original_fates(graph, provenance, sources, fates)
    further = further_profiles(record)
    judged = {index: replace(fate, layers=in_first_profile(fate.layers, further)) for index, fate in fates.items()}
    of_first = tuple(replace(node, layers=in_first_profile(node.layers, further)) for node in nodes)
    return FusionMap(
        build_id=build_id,
        stamp=stamp,
        layers=layers,
        nodes=nodes,
        patterns=(*match_patterns(graph, of_first, layers), *_quantized(variant_graph, sources, judged, layers)),
        steps=(*normalized_steps, *_compiler_steps(record)),
        findings=(*_findings(variant_graph, ambiguous, nodes), *profile_findings(record, further)),
        saved_bytes=_saved_bytes(variant_graph, sources, judged),
    )


@dataclass(frozen=True, kw_only=True)
class _Origin:
    nodes: tuple[int, ...]
    inserted: bool


def _sources(variant: Graph, provenance: Provenance) -> dict[int, _Origin]:
    """Original nodes of each variant node, by variant index; by place where the file's order is kept, else by name."""
    if not provenance.nodes and not provenance.removed:
        return {node.index: _Origin(nodes=(node.index,), inserted=False) for node in variant.nodes}
    listed = provenance.nodes
    if len(listed) == len(variant.nodes) and all(a.name == b.name for a, b in zip(listed, variant.nodes, strict=True)):
        return {i: _Origin(nodes=item.sources, inserted=item.inserted) for i, item in enumerate(listed)}
    by_name = {item.name: item for item in listed}
    found = {}
    for node in variant.nodes:
        if (item := by_name.get(node.name)) is not None:
            found[node.index] = _Origin(nodes=item.sources, inserted=item.inserted)
    return found


def _held(variant: Graph, record: EngineRecord) -> tuple[dict[int, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """Layers that name a node, by variant index; the second holds the nodes that share their name with others."""
    named: dict[str, list[int]] = defaultdict(list)
    for layer in record.working_layers:
        for name in dict.fromkeys(layer.source_names):
            named[name].append(layer.index)
    held: dict[int, tuple[int, ...]] = {}
    ambiguous: dict[int, tuple[int, ...]] = {}
    for name, found in named.items():
        indices = variant.indices_by_name.get(name, ())
        target = held if len(indices) == 1 else ambiguous
        target.update(dict.fromkeys(indices, tuple(found)))
    return held, ambiguous


def _variant_fates(
    variant: Graph, record: EngineRecord, held: dict[int, tuple[int, ...]], ambiguous: dict[int, tuple[int, ...]]
) -> dict[int, _Fate]:
    flow = EngineFlow(record)
    folded = provably_folded(variant)
    around = Surroundings(variant, {**held, **ambiguous})
    whole = explained_by_the_whole(variant, record)
    inferred = {layer.index for layer in record.layers if layer.sources_inferred}
    fates = {}
    for node in variant.nodes:
        if node.index in held:
            by = NAME_OF_LAYER if inferred.issuperset(held[node.index]) else COMPILERS_RECORD
            fates[node.index] = _Fate(state=NodeState.MAPPED, layers=held[node.index], by=by)
        elif node.index in ambiguous:
            count = len(variant.indices_by_name[node.name])
            by = f"shared name: the record names {count} nodes alike"
            fates[node.index] = _Fate(state=NodeState.ABSORBED, layers=ambiguous[node.index], by=by)
        elif node.index in folded:
            fates[node.index] = _Fate(state=NodeState.FOLDED, by=folded[node.index])
        elif (found := whole.get(node.index) or absorb(node, around, flow)) is not None:
            fates[node.index] = _Fate(state=NodeState.ABSORBED, layers=found.layers, by=found.by)
        else:
            fates[node.index] = _Fate(state=NodeState.UNEXPLAINED)
    return fates


# An original node with several nodes in the variant: what the record names wins, what nobody explains comes next.
_WINS = (NodeState.MAPPED, NodeState.UNEXPLAINED, NodeState.ABSORBED, NodeState.FOLDED)


def _original_fates(
    graph: Graph, provenance: Provenance, sources: dict[int, _Origin], fates: dict[int, _Fate]
) -> tuple[NodeFate, ...]:
    made: dict[int, list[_Fate]] = defaultdict(list)
    for variant_index, origin in sources.items():
        if not origin.inserted:
            for index in origin.nodes:
                made[index].append(fates[variant_index])
    removed = {item.index: item for item in provenance.removed}
    folded = provably_folded(graph)
    found: dict[int, _Fate] = {}
    for node in graph.nodes:
        if node.index in removed:  # even where the node that took its work lists it among its sources
            into = removed[node.index].into
            layers = _joined(made[into]).layers if into in made else ()
            found[node.index] = _Fate(state=NodeState.FOLDED, layers=layers, by=removed[node.index].by)
        elif node.index in made:
            found[node.index] = _joined(made[node.index])
        elif node.index in folded:
            found[node.index] = _Fate(state=NodeState.FOLDED, by=folded[node.index])
        else:
            found[node.index] = _Fate(state=NodeState.UNEXPLAINED)
    return tuple(_node_fate(node, found[node.index]) for node in graph.nodes)


def _node_fate(node: Node, fate: _Fate) -> NodeFate:
    return NodeFate(
        index=node.index, name=node.name, op_type=node.op_type, state=fate.state, layers=fate.layers, by=fate.by
    )


def _joined(fates: Sequence[_Fate]) -> _Fate:
    best = min(fates, key=lambda fate: _WINS.index(fate.state))
    layers = tuple(sorted({index for fate in fates if fate.state is best.state for index in fate.layers}))
    return _Fate(state=best.state, layers=layers, by=best.by)


def _mapped_layer(layer: EngineLayer, variant: Graph, sources: dict[int, _Origin]) -> MappedLayer:
    origins = [
        sources[indices[0]]
        for name in layer.source_names
        if len(indices := variant.indices_by_name.get(name, ())) == 1 and indices[0] in sources
    ]
    nodes = sorted({index for origin in origins if not origin.inserted for index in origin.nodes})
    kind = layer.kind
    if not layer.source_names:
        kind = f"{kind}, {COMPILER_MADE}".removeprefix(", ")
    elif origins and all(origin.inserted for origin in origins):
        kind = f"{kind}, {VARIANT_MADE}".removeprefix(", ")
    return MappedLayer(
        index=layer.index,
        name=layer.name,
        kind=kind,
        kernel=layer.kernel,
        precision=layer.precision,
        nodes=tuple(nodes),
        stream=layer.stream,
        output_bytes=sum(engine_tensor_bytes(tensor) for tensor in layer.outputs),
    )


def _compiler_steps(record: EngineRecord) -> tuple[FusionStep, ...]:
    """The compiler's passes that changed the number of layers; none where one block swallows the whole network.

    TensorRT-RTX hands everything to one block, so that its counters fall to one and say nothing about fusion.
    """
    if any(after <= 1 < before for _, before, after in record.passes):
        return ()
    return tuple(
        FusionStep(name=name, before=before, after=after, unit="engine layers")
        for name, before, after in record.passes
        if before != after
    )


def _quantized(
    variant: Graph, sources: dict[int, _Origin], fates: dict[int, _Fate], layers: tuple[MappedLayer, ...]
) -> tuple[PatternMatch, ...]:
    return match_quantized(
        variant,
        {index: fate.layers for index, fate in fates.items()},
        {index: origin.nodes for index, origin in sources.items()},
        {layer.index: layer for layer in layers},
    )


def _saved_bytes(variant: Graph, sources: dict[int, _Origin], fates: dict[int, _Fate]) -> int:
    # Casts and Q/DQ are ours: that the compiler fuses them away again saves nothing against the uploaded model.
    inserted = {index for index, origin in sources.items() if origin.inserted}
    return saved_bytes(variant, {index: fate.layers for index, fate in fates.items() if index not in inserted})


def _findings(
    variant: Graph, ambiguous: dict[int, tuple[int, ...]], nodes: tuple[NodeFate, ...]
) -> tuple[Finding, ...]:
    found = []
    if ambiguous:
        found.append(
            Finding(
                rule="shared-node-names",
                severity=Severity.WARNING,
                message=f"{len(ambiguous)} nodes share their names, so the record cannot tell them apart.",
                remedy="Build with normalization, which makes names unique.",
                nodes=tuple(dict.fromkeys(variant.nodes[index].name for index in ambiguous)),
            )
        )
    unexplained = tuple(node.name for node in nodes if node.state is NodeState.UNEXPLAINED)
    if unexplained:
        found.append(
            Finding(
                rule="unexplained-nodes",
                severity=Severity.NOTE,
                message=f"{len(unexplained)} of {len(nodes)} nodes are in no record and under no rule.",
                nodes=unexplained,
            )
        )
    return tuple(found)
