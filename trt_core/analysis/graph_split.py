"""Cut groups whose collapse would close a cycle into parts that are safe to collapse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_ROUNDS = 6  # groups cut one at a time before everything left in a cycle is cut at once


Name = tuple[str, int]


def split_cycles(labels: Sequence[str], edges: Iterable[tuple[int, int]]) -> list[tuple[str, int]]:
    """Each item's group, refined until no path leaves a group and comes back.

    `labels` names the wanted group of every item, items in topological order; `edges` join items. The smallest group
    in a cycle is cut first: it is mostly a shared module (one activation used everywhere) between the parts of larger
    ones, which then stay whole.
    """
    before: list[list[int]] = [[] for _ in labels]
    for source, target in sorted(edges):
        before[target].append(source)
    names: list[Name] = [(label, 0) for label in labels]
    for _ in range(_ROUNDS):
        knots = _knots(names, before)
        if not knots:
            return names
        sizes = Counter(names)
        for knot in knots:
            _cut(min((n for n in knot if sizes[n] > 1), key=lambda n: (sizes[n], n)), names, before)
    for knot in _knots(names, before):
        _cut_all(knot, names, before)
    return names


def _cut(target: Name, names: list[Name], before: Sequence[Sequence[int]]) -> None:
    """Number the times a path has come back into `target`; each number becomes a group."""
    returns: dict[int, int] = {}
    left: dict[int, bool] = {}  # a path from the group to here has been outside
    for item, name in enumerate(names):
        inside = name == target
        found, outside = -1, False
        for source in before[item]:
            if source in returns:
                count = returns[source] + (1 if inside and left[source] else 0)
                outside = left[source] if count > found else outside or (count == found and left[source])
                found = max(found, count)
        if inside:
            returns[item], left[item] = max(found, 0), False
        elif found >= 0:
            returns[item], left[item] = found, True
    highest = max(number for label, number in names if label == target[0])
    for item, name in enumerate(names):
        if name == target and returns[item]:
            names[item] = (target[0], highest + returns[item])


def _cut_all(knot: set[Name], names: list[Name], before: Sequence[Sequence[int]]) -> None:
    """Within the knot a step from one group to another opens a new level; group and level together are safe."""
    level: list[int] = []
    for item, name in enumerate(names):
        steps = (
            level[source] + (names[source] != name and names[source] in knot and name in knot)
            for source in before[item]
        )
        level.append(max(steps, default=0))
    numbers: dict[tuple[Name, int], int] = {}
    highest: dict[str, int] = {}
    for label, number in names:
        highest[label] = max(highest.get(label, 0), number)
    for item, name in enumerate(names):
        if name not in knot:
            continue
        key = (name, level[item])
        if key not in numbers:
            highest[name[0]] += 1
            numbers[key] = highest[name[0]]
        names[item] = (name[0], numbers[key])


def _knots(names: Sequence[Name], before: Sequence[Sequence[int]]) -> list[set[Name]]:
    """Strongly connected sets of two groups or more (Kosaraju's two passes, without recursion)."""
    into: dict[Name, set[Name]] = {name: set() for name in names}
    out: dict[Name, set[Name]] = {name: set() for name in names}
    for item, sources in enumerate(before):
        for source in sources:
            if names[source] != names[item]:
                out[names[source]].add(names[item])
                into[names[item]].add(names[source])
    finished: list[Name] = []
    seen: set[Name] = set()
    for start, first in out.items():
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(sorted(first)))]
        while stack:
            name, rest = stack[-1]
            step = next((other for other in rest if other not in seen), None)
            if step is None:
                finished.append(name)
                stack.pop()
            else:
                seen.add(step)
                stack.append((step, iter(sorted(out[step]))))
    return _collect(finished, into)


def _collect(finished: Sequence[Name], into: Mapping[Name, set[Name]]) -> list[set[Name]]:
    taken: set[Name] = set()
    knots: list[set[Name]] = []
    for start in reversed(finished):
        if start in taken:
            continue
        knot, todo = {start}, [start]
        taken.add(start)
        while todo:
            for other in into[todo.pop()]:
                if other not in taken:
                    taken.add(other)
                    knot.add(other)
                    todo.append(other)
        if len(knot) > 1:
            knots.append(knot)
    return knots
