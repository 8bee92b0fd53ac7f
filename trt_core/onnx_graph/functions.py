"""Model-local functions: what they expand to, counted without expanding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trt_core.errors import UnreadableModel
from trt_core.onnx_graph.tensors import shown, subgraphs

_MOST_NODES = 1_000_000
Key = tuple[str, str]


def calls(nodes: Iterable[Any]) -> Iterator[Key]:
    """(domain, op type) of every node, those inside subgraph bodies included."""
    for node in nodes:
        yield (node.domain, node.op_type)
        for body in subgraphs(node):
            yield from calls(body.node)


def called_functions(model: Any, nodes: Iterable[Any]) -> list[Any]:
    """The model's functions that these nodes call, directly or through other functions, in file order."""
    known = {(function.domain, function.name): function for function in model.functions}
    called: set[Key] = set()
    pending = list(calls(nodes))
    while pending:
        key = pending.pop()
        if key in known and key not in called:
            called.add(key)
            pending.extend(calls(known[key].node))
    return [function for key, function in known.items() if key in called]


def check_functions(model: Any) -> None:
    """Raise UnreadableModel for functions that call themselves or expand to more than a million nodes.

    Forty functions that each call the next one twice are a short file and a trillion nodes: shape inference and
    compilers expand them all.
    """
    bodies = {(function.domain, function.name): list(calls(function.node)) for function in model.functions}
    sizes: dict[Key, int] = {}
    for key in bodies:
        _measure(key, bodies, sizes)
    total = sum(sizes.get(key, 1) for key in calls(model.graph.node)) if bodies else 0
    if total > _MOST_NODES:
        raise UnreadableModel(
            f"The model's functions expand to {total:,} nodes; the limit is {_MOST_NODES:,}.",
            remedy="Export the model without functions, or with smaller ones.",
        )


def _measure(start: Key, bodies: dict[Key, list[Key]], sizes: dict[Key, int]) -> None:
    """Put the expanded size of a function and of all that it calls into `sizes`; depth-first, without recursion."""
    path = [start]
    while path:
        key = path[-1]
        if key in sizes:
            path.pop()
            continue
        waiting = [inner for inner in bodies[key] if inner in bodies and inner not in sizes]
        if not waiting:
            sizes[key] = sum(sizes.get(inner, 1) for inner in bodies[key])
        elif waiting[0] in path:
            raise UnreadableModel(
                f"The model's function {shown(waiting[0][1])} calls itself.",
                remedy="Export the model without functions.",
            )
        else:
            path.append(waiting[0])
