"""Assign boxes to layers and layers to columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
Edge = tuple[int, int]
GAP_X = 22.0
GUTTER = 40.0
_GAP_Y = 26.0
_THIN = 6.0  # a layer lower than this holds only the ends of lines and needs half the gap


def layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """Longest path from the sources; then each source moves down next to its first reader."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        after[source].append(target)
        waiting[target] += 1
    fed = [amount > 0 for amount in waiting]
    layer = [0] * count
    ready = [box for box in range(count) if not waiting[box]]
    for box in ready:
        for target in after[box]:
            layer[target] = max(layer[target], layer[box] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for box in range(count):
        if not fed[box] and after[box]:
            layer[box] = max(0, min(layer[target] for target in after[box]) - 1)
    lowest = min(layer)
    return [at - lowest for at in layer]


def columns(
    layers: Sequence[Sequence[int]],
    sizes: Sequence[Point],
    edges: Sequence[Edge],
    layer_of: Sequence[int],
    aspect: float,
) -> list[int]:
    """The first layer of each column: as many columns as show the graph largest in a frame of that aspect."""
    heights = [pitch([sizes[box][1] for box in layer]) for layer in layers]
    widths = [sum(sizes[box][0] + GAP_X for box in layer) for layer in layers]
    crossing = [0] * (len(layers) + 1)
    for source, target in edges:
        crossing[layer_of[source] + 1] += 1
        crossing[layer_of[target] + 1] -= 1
    for layer in range(1, len(crossing)):
        crossing[layer] += crossing[layer - 1]
    best, best_scale = [0], 0.0
    most = min(len(layers), 2 + math.isqrt(4 * len(layers)))
    for count in range(1, most + 1):
        starts = _breaks(heights, crossing, count)
        ends = [*starts[1:], len(layers)]
        spans = list(zip(starts, ends, strict=True))
        width = sum(max(widths[a:b]) for a, b in spans) + GUTTER * (len(spans) - 1)
        height = max(sum(heights[a:b]) for a, b in spans)
        tangled = sum(crossing[start] - 1 for start in starts[1:])
        scale = min(aspect / width, 1 / height) * (0.985 ** (len(spans) - 1)) * (0.97**tangled)
        if scale > best_scale * 1.02:
            best, best_scale = starts, scale
    return best


def pitch(heights: Sequence[float]) -> float:
    """Height of a layer and of the gap below it."""
    highest = max(heights)
    return highest + (_GAP_Y if highest > _THIN else _GAP_Y / 2)


def _breaks(heights: Sequence[float], crossing: Sequence[int], count: int) -> list[int]:
    """Starts of `count` columns of about one height, moved a little to where few edges cross."""
    total = sum(heights)
    reached = [0.0]
    for height in heights:
        reached.append(reached[-1] + height)
    starts = [0]
    for column in range(1, count):
        goal = total * column / count
        near = [at for at in range(starts[-1] + 1, len(heights)) if abs(reached[at] - goal) <= 0.45 * total / count]
        if near:
            starts.append(min(near, key=lambda at: (crossing[at], abs(reached[at] - goal))))
    return starts
