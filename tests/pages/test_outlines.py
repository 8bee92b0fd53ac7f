"""Blocks as one line of steps."""

from __future__ import annotations

from pages.ui.outlines import skyline


def _heights(xs, ys):
    """What a line of steps (first along, then up or down) stands at, in quarters of a place."""
    found = []
    for place in (number / 4 for number in range(1, 40)):
        before = [height for x, height in zip(xs, ys, strict=True) if x <= place]
        found.append(before[-1] if before else 0.0)
    return found


def test_a_skyline_stands_as_high_as_each_block_and_at_nothing_where_there_is_none():
    blocks = [(1, 1.0), (2, 1.0), (3, 2.0), (6, 2.0), (7, 0.0), (8, 1.0)]
    heights = dict(blocks)

    xs, ys = skyline(blocks)

    assert _heights(xs, ys) == [heights.get(int(number / 4 + 0.5), 0.0) for number in range(1, 40)]
    assert ys[0] == ys[-1] == 0.0  # closed along the floor


def test_neighbours_of_one_height_cost_no_corner():
    xs, _ = skyline([(place, 1.0) for place in range(1, 5001)])

    assert xs == [0.5, 0.5, 5000.5]


def test_no_block_is_no_line():
    assert skyline([]) == ([], [])
