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
