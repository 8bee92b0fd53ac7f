"""Find the blocks of a graph that has no name scopes: chains, joins and their repetitions.

Every block is an interval of the reading order, so collapsing blocks can never close a cycle.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trt_core.analysis.graph_links import Group, Links, in_reading_order, quotient

WIDE = 32  # a level with more boxes than this is cut into blocks
_PART = 24  # boxes in a part of a level that shows no structure
_LONGEST_PERIOD = 6
_SOON = 16
_HEADS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_POOLS = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool"})
_AFTER_JOIN = frozenset({"Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Elu", "Gelu", "LayerNormalization"})


@dataclass(frozen=True)
class _Segment:
    """Consecutive boxes of a level, and what is compared to find repetitions."""

    groups: tuple[Group, ...]
    name: str
    signature: tuple[object, ...]
    shape: tuple[object, ...] | None
    is_chain: bool

    @property
    def size(self) -> int:
        return sum(len(group.members) for group in self.groups)


def arrange(groups: Sequence[Group], links: Links, *, depth: int = 0) -> tuple[Group, ...]:
    """The boxes of one level, grouped into blocks, repetitions and parts until at most `WIDE` remain.

    Blocks end where a single tensor carries everything that follows; a run of equal blocks becomes one `name ×n`.
    """
    ordered = in_reading_order(groups, links)
    segments = _chains(_cut(ordered, links, links.input_readers if depth == 0 else ()), links)
    if len(segments) == 1 and len(ordered) > WIDE:
        return _parts(ordered)
    found = _repeat(segments, links, depth)
    return found if len(found) <= WIDE else _parts(found)


def _cut(ordered: Sequence[Group], links: Links, input_readers: Sequence[Sequence[int]]) -> list[tuple[Group, ...]]:
    """Split where at most one box's result is still to be read, not counting what is read along most of the level."""
    count = len(ordered)
    last, readers = list(range(count)), [0] * count
    for source, target in quotient([group.members for group in ordered], links):
        last[source] = max(last[source], target)
        readers[source] += 1
    steps = [0] * (count + 1)
    for source in range(count):
        span = last[source] - source
        if span and not (readers[source] > 3 and span > count // 3):
            steps[source] += 1
            steps[last[source]] -= 1
    place = {node: at for at, group in enumerate(ordered) for node in group.members}
    for reading in input_readers:  # a graph input read again soon is the skip of a first block
        end = max((place[node] for node in reading if node in place), default=0)
        if end <= _SOON:
            steps[0] += 1
            steps[end] -= 1
    segments, start, live = [], 0, 0
    for at in range(count):
        live += steps[at]
        if live <= 1:
            segments.append(tuple(ordered[start : at + 1]))
            start = at + 1
    if start < count:
        segments.append(tuple(ordered[start:]))
    return segments


def _main_op(group: Group, links: Links) -> str:
    return links.graph.nodes[group.members[-1]].op_type if group.kind in ("node", "op") else ""


def _chains(raw: Sequence[tuple[Group, ...]], links: Links) -> list[_Segment]:
    """Join the light ops of a chain to the heavy one before them, and a final activation to the block it ends."""
    joined: list[tuple[Group, ...]] = []
    for segment in raw:
        op = _main_op(segment[0], links) if len(segment) == 1 else ""
        before = joined[-1] if joined else ()
        if op and before and op not in _HEADS and op not in _POOLS:
            is_join = not _is_chain(before, links)
            if op in _AFTER_JOIN or (not is_join and len(before) <= 6 and _main_op(before[0], links)):
                joined[-1] = (*before, *segment)
                continue
        joined.append(segment)
    return [_segment(groups, links) for groups in joined]


def _is_chain(groups: Sequence[Group], links: Links) -> bool:
    """True where each box reads only the one before it."""
    if not all(_main_op(group, links) for group in groups):
        return False
    for before, group in itertools.pairwise(groups):
        own = {*before.members, *group.members}
        if any(source not in own for node in group.members for source in links.predecessors[node]):
            return False
    return True


def _segment(groups: tuple[Group, ...], links: Links) -> _Segment:
    members = [node for group in groups for node in group.members if links.anchor[node] == node]
    place = {node: at for at, node in enumerate(members)}
    ops = tuple(links.graph.nodes[node].op_type for node in members)
    edges = tuple(sorted((place[a], place[b]) for a in members for b in links.successors[a] if b in place))
    outputs = links.graph.nodes[members[-1]].outputs
    spec = links.graph.tensors.get(outputs[0]) if outputs else None
    shape = spec.shape if spec is not None and spec.shape is not None and None not in spec.shape else None
    is_chain = _is_chain(groups, links)
    return _Segment(groups, _name(groups, links, is_chain), (ops, edges), shape, is_chain)


def _name(groups: Sequence[Group], links: Links, is_chain: bool) -> str:
    if len(groups) == 1:
        return groups[0].label
    main = [
        op for group in groups for op in ([_main_op(group, links)] if _main_op(group, links) else _ops(group, links))
    ]
    if is_chain:
        return _chain_name(main)
    counts = Counter(main)
    heavy = counts["MatMul"] + counts["Gemm"]
    if counts["Softmax"] and heavy >= 2:
        return "Attention"
    joins = {"Add", "Sum"} & set(main[-3:])
    if joins and heavy and not counts["Conv"]:
        return "Feed-forward" if heavy > 1 else "Residual block"
    if joins and counts["Conv"]:
        return "Bottleneck" if counts["Conv"] in (3, 4) and main.count("Relu") > 2 else "Residual block"
    if "Concat" in main[-2:]:
        return "Dense layer" if counts["Conv"] == 2 and "BatchNormalization" in main[:1] else "Parallel branches"
    return _chain_name([op for op, _ in counts.most_common()])


def _ops(group: Group, links: Links) -> list[str]:
    return [links.graph.nodes[node].op_type for node in group.members]


def _chain_name(ops: Sequence[str]) -> str:
    short = [op.replace("Normalization", "Norm").replace("Average", "Avg") for op in dict.fromkeys(ops)]
    return " + ".join(short[:4]) + (" …" if len(short) > 4 else "")


def _alike(one: _Segment, other: _Segment) -> bool:
    same_role = not one.is_chain and one.name == other.name and one.shape is not None and one.shape == other.shape
    return one.signature == other.signature or same_role


def _repeat(segments: Sequence[_Segment], links: Links, depth: int) -> tuple[Group, ...]:
    """Segments as boxes, with runs of one segment (then of two, three … different ones) as one box each."""
    taken: list[Group | None] = [None] * len(segments)
    for period in range(1, _LONGEST_PERIOD + 1):
        at = 0
        while at + 2 * period <= len(segments):
            times = _times(segments, taken, at, period)
            if times < 2 or (period == 1 and len(segments[at].groups) == 1):
                at += 1
                continue
            end = at + times * period
            taken[at:end] = [_repetition(segments[at:end], period, times, links, depth)] * (end - at)
            at = end
    boxes: list[Group] = []
    at = 0
    while at < len(segments):
        group, end = taken[at], at + 1
        while end < len(segments) and (
            taken[end] is group if group else taken[end] is None and segments[at].is_chain and segments[end].is_chain
        ):
            end += 1
        inside = segments[at:end]
        boxes.append(group or _block([g for s in inside for g in s.groups], inside, links, depth))
        at = end
    return tuple(boxes)


def _times(segments: Sequence[_Segment], taken: Sequence[Group | None], at: int, period: int) -> int:
    if any(group is not None for group in taken[at : at + period]):
        return 0
    times = 1
    while at + (times + 1) * period <= len(segments):
        begin = at + times * period
        fits = all(
            taken[begin + step] is None and _alike(segments[begin - period + step], segments[begin + step])
            for step in range(period)
        )
        if not fits:
            break
        times += 1
    return times


def _repetition(run: Sequence[_Segment], period: int, times: int, links: Links, depth: int) -> Group:
    names = [segment.name for segment in run[-period:]]  # the first may begin at a graph input
    name = " + ".join(dict.fromkeys(names)) if period <= 3 else "Block"
    blocks = [
        _block([g for s in run[at : at + period] for g in s.groups], run[at : at + period], links, depth, name)
        for at in range(0, len(run), period)
    ]
    children = tuple(blocks) if times <= WIDE + WIDE // 2 else _parts(blocks)
    return Group(kind="repeat", label=f"{name} ×{times}", members=_members(blocks), children=children)


def _block(
    groups: Sequence[Group],
    segments: Sequence[_Segment],
    links: Links,
    depth: int,
    name: str = "",
) -> Group:
    if len(groups) == 1:
        return groups[0]
    if not name and len(segments) == 1:
        name = segments[0].name
    if not name:
        name = _chain_name([_main_op(group, links) or group.label for group in groups])
    children = tuple(groups)
    if len(segments) > 1 and len(groups) > WIDE // 2:
        children = tuple(_block(s.groups, [s], links, depth + 1) for s in segments)
    if len(children) > WIDE:
        children = arrange(children, links, depth=depth + 1) if depth < 8 else _parts(children)
    return Group(kind="block", label=name, members=_members(groups), children=children)


def _parts(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Cut a level without structure into intervals, as often as it takes to leave at most `WIDE` boxes."""
    found = tuple(groups)
    done = 0
    while len(found) > WIDE:
        size = math.ceil(len(found) / math.ceil(len(found) / _PART))
        parts = []
        for start in range(0, len(found), size):
            inside = found[start : start + size]
            first, last = start + 1, start + len(inside)
            label = _part_label(inside, first, last, done)
            single = len(inside) == 1
            parts.append(
                inside[0] if single else Group(kind="part", label=label, members=_members(inside), children=inside)
            )
        found = tuple(parts)
        done += 1
    return found


def _part_label(inside: Sequence[Group], first: int, last: int, done: int) -> str:
    names = {group.label for group in inside}
    what = next(iter(names)) if len(names) == 1 else "Parts" if done else "Boxes"
    return f"{first}–{last} · {what}"


def _members(groups: Sequence[Group]) -> tuple[int, ...]:
    return tuple(node for group in groups for node in group.members)
