"""Place boxes in layers, top to bottom, and wrap long graphs into columns so that the whole stays readable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.analysis.graph_columns import GAP_X, GUTTER, Edge, Point, columns, layers, pitch

_DUMMY = 10.0
_LONGEST_ROUTE = 24  # layers; a longer edge runs beside the columns instead of through them
_SWEEPS = 4


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Top-left corners by box, and the polyline of each edge."""

    corners: tuple[Point, ...]
    routes: Mapping[Edge, tuple[Point, ...]]
    width: float
    height: float


def place(
    sizes: Sequence[Point], edges: Sequence[Edge], *, aspect: float, ports: Mapping[int, Point] | None = None
) -> Layout:
    """A layered drawing of an acyclic graph, in pixels.

    `sizes` are (width, height), `edges` pairs of positions in it, `aspect` the width over height to aim for. `ports`
    shifts, by box, where edges end at the top and begin at the bottom (offsets from the middle).
    """
    if not sizes:
        return Layout(corners=(), routes={}, width=0.0, height=0.0)
    layer_of = layers(len(sizes), edges)
    rows: list[list[int]] = [[] for _ in range(max(layer_of) + 1)]
    for box, layer in enumerate(layer_of):
        rows[layer].append(box)
    starts = columns(rows, sizes, edges, layer_of, aspect)
    drawing = _Drawing(sizes=sizes, edges=edges, rows=rows, layer_of=layer_of, starts=starts, ports=ports or {})
    return drawing.layout()


class _Drawing:
    """One run of the layout: order within layers, horizontal places, columns, routes."""

    def __init__(
        self,
        *,
        sizes: Sequence[Point],
        edges: Sequence[Edge],
        rows: Sequence[Sequence[int]],
        layer_of: Sequence[int],
        starts: Sequence[int],
        ports: Mapping[int, Point],
    ) -> None:
        self.count = len(sizes)
        self.widths = [size[0] for size in sizes]
        self.heights = [size[1] for size in sizes]
        self.layer_of = list(layer_of)
        self.rows = [list(row) for row in rows]
        self.starts = list(starts)
        self.ports = ports
        self.edges = list(edges)
        self.column_of = [0] * len(rows)
        for column, start in enumerate(self.starts):
            for layer in range(start, len(rows)):
                self.column_of[layer] = column
        self.chains: dict[Edge, list[int]] = {}
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self._thread()

    def _thread(self) -> None:
        """Give each edge within a column a thin box in every layer that it passes."""
        for edge in self.edges:
            source, target = edge
            first, last = self.layer_of[source], self.layer_of[target]
            if self.column_of[first] != self.column_of[last] or last - first > _LONGEST_ROUTE:
                continue
            chain = [source]
            for layer in range(first + 1, last):
                chain.append(len(self.widths))
                self.widths.append(_DUMMY)
                self.heights.append(0.0)
                self.above.append([])
                self.below.append([])
                self.layer_of.append(layer)
                self.rows[layer].append(chain[-1])
            chain.append(target)
            for one, other in itertools.pairwise(chain):
                self.below[one].append(other)
                self.above[other].append(one)
            self.chains[edge] = chain

    def layout(self) -> Layout:
        self._order()
        middle = self._middles()
        top = self._tops()
        left = self._column_lefts(middle)
        corners = [
            (left[self.column_of[self.layer_of[box]]] + middle[box] - self.widths[box] / 2, top[self.layer_of[box]])
            for box in range(len(self.widths))
        ]
        ends = [max(self.heights[box] for box in row) for row in self.rows]
        routes = {edge: self._route(edge, corners, top, ends) for edge in self.edges}
        xs = [x for route in routes.values() for x, _ in route] + [x for x, _ in corners]
        ys = [y for route in routes.values() for _, y in route]
        dx, dy = -min([0.0, *xs]), -min([0.0, *ys])
        right = max(
            [x for route in routes.values() for x, _ in route]
            + [x + w for (x, _), w in zip(corners, self.widths, strict=True)]
        )
        bottom = max([*ys, *(y + h for (_, y), h in zip(corners, self.heights, strict=True))])
        return Layout(
            corners=tuple((x + dx, y + dy) for x, y in corners[: self.count]),
            routes={edge: tuple((x + dx, y + dy) for x, y in route) for edge, route in routes.items()},
            width=right + dx,
            height=bottom + dy,
        )

    def _order(self) -> None:
        """Barycenter sweeps: a box goes to the mean place of what feeds it, then of what it feeds."""
        place = [0.0] * len(self.widths)
        for row in self.rows:
            for at, box in enumerate(row):
                place[box] = float(at)
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            near = self.above if down else self.below
            for row in self.rows if down else reversed(self.rows):
                wish = {b: sum(place[n] for n in near[b]) / len(near[b]) if near[b] else place[b] for b in row}
                row.sort(key=lambda box: (wish[box], place[box]))
                for at, box in enumerate(row):
                    place[box] = at - (len(row) - 1) / 2

    def _middles(self) -> list[float]:
        """Horizontal middles: neighbours' mean where there is room, order and gaps kept."""
        middle = [0.0] * len(self.widths)
        for row in self.rows:
            self._settle(row, [0.0] * len(row), middle)
        for sweep in range(_SWEEPS + 2):
            down = sweep % 2 == 0
            last = sweep >= _SWEEPS
            for row in self.rows if down else reversed(self.rows):
                wishes = []
                for box in row:
                    near = self.above[box] + self.below[box] if last else (self.above if down else self.below)[box]
                    wishes.append(sum(middle[n] for n in near) / len(near) if near else middle[box])
                self._settle(row, wishes, middle)
        return middle

    def _settle(self, row: Sequence[int], wishes: Sequence[float], middle: list[float]) -> None:
        """Nearest places to the wishes (least squares) that keep order and gaps: pool adjacent violators."""
        shift, shifts = 0.0, []
        for at, box in enumerate(row):
            if at:
                shift += (self.widths[row[at - 1]] + self.widths[box]) / 2 + GAP_X
            shifts.append(shift)
        blocks: list[list[float]] = []
        for wish, offset in zip(wishes, shifts, strict=True):
            blocks.append([wish - offset, 1.0])
            while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
                mean, weight = blocks.pop()
                before = blocks[-1]
                before[0] = (before[0] * before[1] + mean * weight) / (before[1] + weight)
                before[1] += weight
        at = 0
        for mean, weight in blocks:
            for _ in range(int(weight)):
                middle[row[at]] = mean + shifts[at]
                at += 1

    def _tops(self) -> list[float]:
        top, y = [], 0.0
        for layer, row in enumerate(self.rows):
            if layer in self.starts:
                y = 0.0
            top.append(y)
            y += pitch([self.heights[box] for box in row])
        return top

    def _column_lefts(self, middle: Sequence[float]) -> list[float]:
        """Shift that puts each column to the right of the one before it."""
        low = [math.inf] * len(self.starts)
        high = [-math.inf] * len(self.starts)
        for layer, row in enumerate(self.rows):
            column = self.column_of[layer]
            for box in row:
                low[column] = min(low[column], middle[box] - self.widths[box] / 2)
                high[column] = max(high[column], middle[box] + self.widths[box] / 2)
        lefts, x = [], 0.0
        for column in range(len(self.starts)):
            lefts.append(x - low[column])
            x += high[column] - low[column] + GUTTER
        self.rights = [lefts[column] + high[column] for column in range(len(lefts))]
        return lefts

    def _route(
        self, edge: Edge, corners: Sequence[Point], top: Sequence[float], ends: Sequence[float]
    ) -> tuple[Point, ...]:
        source, target = edge
        one, two = self.layer_of[source], self.layer_of[target]
        begin = (self._port(source, corners, 1), corners[source][1] + self.heights[source])
        end = (self._port(target, corners, 0), corners[target][1])
        if edge in self.chains:
            points = [begin]
            for box in self.chains[edge][1:-1]:
                x, y = corners[box][0] + _DUMMY / 2, top[self.layer_of[box]]
                points += [(x, y), (x, y + ends[self.layer_of[box]])]
            return (*points, end)
        lane = 6.0 * ((source * 7 + target * 3) % 4)
        low, high = top[one] + ends[one] + 7 + lane / 4, top[two] - 9 - lane / 4
        beside = self.rights[self.column_of[one]] + 9 + lane
        if self.column_of[two] - self.column_of[one] <= 1:
            return (begin, (begin[0], low), (beside, low), (beside, high), (end[0], high), end)
        before = self.rights[self.column_of[two] - 1] + 9 + lane
        over = -12.0 - lane
        return (
            begin, (begin[0], low), (beside, low), (beside, over), (before, over), (before, high), (end[0], high), end,
        )  # fmt: skip

    def _port(self, box: int, corners: Sequence[Point], side: int) -> float:
        return corners[box][0] + self.widths[box] / 2 + self.ports.get(box, (0.0, 0.0))[side]
