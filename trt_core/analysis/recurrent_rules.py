"""Recurrent nodes and the batch that they are compiled for.

TensorRT-RTX 1.7.1 can compile a GRU whose batch is exactly 1 without end, taking more and more memory: seen with
linear_before_reset 0, hidden sizes from 3 to 6 and ten steps. LSTMs of that size took 25 s and made engines of 37 MB.
Most others build as usual, and so did every one whose batch may be larger than 1, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from trt_core.domain.findings import Finding, Severity, counted
from trt_core.domain.graph import Graph, Node
from trt_core.domain.profile_axes import Sizes, first_sizes, free_axes, profile_from_sizes
from trt_core.domain.profiles import OptimizationProfile, static_profile
from trt_core.domain.tensors import Dim

OPEN_BATCH: Sizes = (1, 1, 8)
_RECURRENT = frozenset({"GRU", "LSTM"})
_MAY_HANG = "TensorRT-RTX 1.7 can compile such nodes for long or without end, until the memory of a job is full."

Place = tuple[str, int]  # an input and one of its dimensions


def default_profile(graph: Graph, *, open_batch: bool) -> OptimizationProfile:
    """What is built where nobody gives a profile: size 1; with `open_batch`, a recurrent node's batch is 1 to 8."""
    places = {place for node in _recurrent(graph) for place in _places(graph, node)} if open_batch else set()
    if not places:
        return static_profile(graph.inputs)
    sizes = {
        axis.key: OPEN_BATCH if places & set(axis.places) else first_sizes(axis) for axis in free_axes(graph.inputs)
    }
    return profile_from_sizes(graph.inputs, sizes)


def fixed_batch_findings(graph: Graph) -> tuple[Finding, ...]:
    """Recurrent nodes whose batch the file itself fixes at 1, before anything is built."""
    nodes = [node for node in _recurrent(graph) if _batch(graph, node) == 1]
    if not nodes:
        return ()
    return (
        _warning(
            nodes,
            f"{_named(nodes)} a batch of exactly 1 in the file. {_MAY_HANG}",
            "Export with a dynamic batch and build for 1 to 8. As it is, watch the build and cancel it where it does "
            "not end; it is ended at the memory that a job may use (ENGINESCOPE_JOB_MEMORY_MB).",
        ),
    )


def profile_findings(graph: Graph, profiles: Sequence[OptimizationProfile]) -> tuple[Finding, ...]:
    """What these profiles mean for recurrent nodes: a batch of exactly 1, or the range that stands in its place."""
    if fixed := fixed_batch_findings(graph):
        return fixed
    nodes = [node for node in _recurrent(graph) if any(_is_one(profile, graph, node) for profile in profiles)]
    if nodes:
        return (
            _warning(
                nodes,
                f"{_named(nodes)} a batch of exactly 1 in an optimization profile. {_MAY_HANG}",
                "Let the profile's batch range from 1 to 8, with opt at 1.",
            ),
        )
    opened = default_profile(graph, open_batch=True)
    if tuple(profiles) != (opened,) or opened == static_profile(graph.inputs):
        return ()
    nodes = _recurrent(graph)
    return (
        Finding(
            rule="recurrent-batch-open",
            severity=Severity.NOTE,
            message=f"The profile allows a batch from {OPEN_BATCH[0]} to {OPEN_BATCH[2]}, for a model with "
            f"{_ops(nodes)}. With a batch of exactly 1, {_MAY_HANG}",
            remedy="Give the batch that the engine will meet; keep its max above 1.",
            nodes=tuple(node.name for node in nodes),
        ),
    )


def _warning(nodes: Sequence[Node], message: str, remedy: str) -> Finding:
    return Finding(
        rule="recurrent-batch-of-one",
        severity=Severity.WARNING,
        message=message,
        remedy=remedy,
        nodes=tuple(node.name for node in nodes),
    )


def _named(nodes: Sequence[Node]) -> str:
    return f"{_ops(nodes)} {'has' if len(nodes) == 1 else 'have'}"


def _ops(nodes: Sequence[Node]) -> str:
    counts = Counter(node.op_type for node in nodes)
    return " and ".join(counted(count, f"{op} node") for op, count in counts.items())


def _recurrent(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op_type in _RECURRENT and not node.domain and node.inputs]


def _batch_axis(node: Node) -> int:
    return 0 if dict(node.attributes).get("layout") == "1" else 1


def _batch(graph: Graph, node: Node) -> Dim:
    """The batch that the file gives a node: a number, a symbol, or None where it is not known."""
    spec = graph.tensors.get(node.inputs[0])
    shape = spec.shape if spec is not None else None
    return shape[_batch_axis(node)] if shape is not None and len(shape) > _batch_axis(node) else None


def _places(graph: Graph, node: Node) -> tuple[Place, ...]:
    """The open dimensions of the model's inputs that are the batch of a node; where none is named, the first ones."""
    batch = _batch(graph, node)
    if isinstance(batch, int):
        return ()
    open_dims = [
        (spec.name, axis, dim)
        for spec in graph.inputs
        for axis, dim in enumerate(spec.shape or ())
        if not isinstance(dim, int)
    ]
    own = [(name, axis) for name, axis, _ in open_dims if (name, axis) == (node.inputs[0], _batch_axis(node))]
    named = [(name, axis) for name, axis, dim in open_dims if dim and dim == batch]
    return tuple(named or own or ((name, axis) for name, axis, _ in open_dims if axis == 0))


def _is_one(profile: OptimizationProfile, graph: Graph, node: Node) -> bool:
    ranges = [(profile.range_of(name), axis) for name, axis in _places(graph, node)]
    return any(item is not None and item.min[axis] == item.max[axis] == 1 for item, axis in ranges)
