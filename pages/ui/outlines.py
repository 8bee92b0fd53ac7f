"""Thousands of blocks as one shape: a browser draws an element or two for each of them else."""

from __future__ import annotations

from collections.abc import Iterable

MANY = 600  # blocks from which all of a kind are one shape
STEP = {"shape": "hv"}  # the line of an outline: half the points of one that names every corner


def outline(blocks: Iterable[tuple[int, int, float]], floor: float = 0.0) -> tuple[list[float], list[float]]:
    """Blocks (first, last, height) from left to right as one line of steps: a gap in it would begin an element."""
    xs: list[float] = []
    ys: list[float] = []
    for first, last, height in blocks:
        left, right = round(first - 0.47, 2), round(last + 0.47, 2)
        xs += [left, right] if xs else [left, left, right]
        ys += [height, floor] if ys else [floor, height, floor]
    return xs, ys


def skyline(blocks: Iterable[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Blocks (place, height) from left to right as one line of steps, without the gaps between neighbours.

    Where hundreds of blocks share a pixel nobody sees the gaps, and each would cost a browser four corners to fill.
    """
    xs: list[float] = []
    ys: list[float] = []
    end = current = 0.0
    for place, height in blocks:
        left = place - 0.5
        if not xs or left != end:
            xs += [end, left] if xs else [left]
            ys += [0.0, 0.0] if ys else [0.0]
            current = 0.0
        if height != current:
            xs.append(left)
            ys.append(height)
            current = height
        end = place + 0.5
    return [*xs, end] if xs else [], [*ys, 0.0] if ys else []
