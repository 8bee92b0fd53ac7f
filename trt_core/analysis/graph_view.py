"""What a page draws of a graph: boxes with places, edges with routes, some groups open and the others closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trt_core.analysis.graph_boxes import Facts, GraphBox, clipped, terminal
from trt_core.analysis.graph_groups import GroupedGraph, Grouping, group_graph
from trt_core.analysis.graph_layout import Layout, place
from trt_core.analysis.graph_links import Group
from trt_core.domain.graph import Graph
from trt_core.domain.tensors import TensorSpec

BOX_LIMIT = 300
_NODE = (152.0, 42.0)
_GROUP = (176.0, 54.0)
_TERMINAL = (176.0, 38.0)
_DOT = (8.0, 4.0)
_HEADER = 30.0
_MARGIN = 16.0
_FRAME_ASPECT = 2.4  # width over height of the picture on a page
_GROUP_ASPECTS = (1.7, 1.1, 2.6)  # of open groups: the one that shows the whole largest is taken
_MANY_TENSORS = 12


@dataclass(frozen=True, kw_only=True)
class GraphEdge:
    """A line between two boxes (or from an open group's upper edge, or to its lower one): `tensors` run along it."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]
    tensors: tuple[str, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class GraphView:
    """A drawing of a graph, in pixels; an open group comes before the boxes inside it."""

    boxes: tuple[GraphBox, ...]
    edges: tuple[GraphEdge, ...]
    width: float
    height: float
    grouping: Grouping
    expanded: frozenset[str]

    def box(self, box_id: str) -> GraphBox | None:
        """The box of that id, None where the view does not show it."""
        return next((box for box in self.boxes if box.id == box_id), None)


def collapsed_view(
    graph: Graph | GroupedGraph,
    *,
    grouping: Grouping = "scope",
    expanded: frozenset[str] = frozenset(),
    limit: int = BOX_LIMIT,
    layer_of: Mapping[int, int] | None = None,
    key_of: Mapping[int, str] | None = None,
) -> GraphView:
    """The drawing of a graph with the groups in `expanded` open and every other one closed.

    With nothing open at most `limit` boxes show. `key_of` names the colour key of a node (a precision, for example);
    without it nodes are keyed by the kind of their op. Give a `GroupedGraph` to draw several views of one graph.
    """
    grouped = graph if isinstance(graph, GroupedGraph) else group_graph(graph, grouping, layer_of=layer_of)
    if len(grouped.root.children) > limit:
        raise ValueError(f"a first view of {len(grouped.root.children)} boxes is over the limit of {limit}")
    composer = _Composer(grouped, expanded, key_of)
    level = composer.measure(_GROUP_ASPECTS[0])
    if level.count <= limit:  # more layouts of a larger one would take too long
        others = [composer.measure(aspect) for aspect in _GROUP_ASPECTS[1:]]
        level = max([level, *others], key=lambda one: min(_FRAME_ASPECT / one.size[0], 1 / one.size[1]))
    return composer.view(level)


@dataclass(kw_only=True)
class _Level:
    """An open group measured: its parts, their sizes, and where they are within it."""

    group: Group
    parts: list[_Level] = field(default_factory=list)
    size: tuple[float, float] = (0.0, 0.0)
    ports: tuple[float, float] = (0.0, 0.0)  # shift of the upper and lower end of edges from the middle
    layout: Layout | None = None
    lines: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    extras: list[tuple[str, TensorSpec | None, int]] = field(default_factory=list)  # id, tensor, how many

    @property
    def count(self) -> int:
        return 1 + sum(part.count for part in self.parts)


@dataclass(kw_only=True)
class _Wires:
    """What joins the parts of an open group, by their positions; the extra boxes follow the `parts`."""

    parts: int
    lines: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    extras: list[tuple[str, TensorSpec | None, int]] = field(default_factory=list)  # id, tensor, how many


class _Composer:
    """One view in the making."""

    def __init__(self, grouped: GroupedGraph, expanded: frozenset[str], key_of: Mapping[int, str] | None) -> None:
        self.aspect = _GROUP_ASPECTS[0]
        self.grouped = grouped
        self.graph = grouped.graph
        self.expanded = expanded
        self.facts = Facts(grouped.graph, key_of)
        self.boxes: list[GraphBox] = []
        self.edges: list[GraphEdge] = []
        self.leaving: dict[int, list[tuple[int, str]]] = {}
        self.entering: dict[int, list[tuple[int, str]]] = {}
        for source, target, tensor in self.graph.edges:
            self.leaving.setdefault(source, []).append((target, tensor))
            self.entering.setdefault(target, []).append((source, tensor))
        self.wires: dict[str, _Wires] = {}
        inputs = {spec.name for spec in self.graph.inputs}
        outputs = {spec.name for spec in self.graph.outputs}
        self.read = {n.index: found for n in self.graph.nodes if (found := [x for x in n.inputs if x in inputs])}
        self.given = {n.index: found for n in self.graph.nodes if (found := [x for x in n.outputs if x in outputs])}

    def measure(self, aspect: float) -> _Level:
        self.aspect = aspect
        return self._measure(self.grouped.root, is_root=True)

    def view(self, root: _Level) -> GraphView:
        self._emit_inside(root, 0.0, 0.0, 0)
        return GraphView(
            boxes=tuple(self.boxes),
            edges=tuple(self.edges),
            width=root.size[0],
            height=root.size[1],
            grouping=self.grouped.grouping,
            expanded=frozenset(box.id for box in self.boxes if box.is_expanded),
        )

    def _measure(self, group: Group, *, is_root: bool = False) -> _Level:
        if not is_root and (not group.children or group.id not in self.expanded):
            return _Level(group=group, size=_NODE if group.kind in ("node", "op") else _GROUP)
        level = _Level(group=group, parts=[self._measure(child) for child in group.children])
        wires = self.wires.get(group.id)
        if wires is None:  # what is joined to what does not depend on the shape that is tried
            wires = self.wires[group.id] = self._wired(group, is_root=is_root)
        level.lines, level.extras = wires.lines, wires.extras
        sizes = [part.size for part in level.parts] + [_TERMINAL if is_root else _DOT] * len(level.extras)
        ports = {at: part.ports for at, part in enumerate(level.parts)}
        aspect = _FRAME_ASPECT if is_root else self.aspect
        level.layout = layout = place(sizes, list(level.lines), aspect=aspect, ports=ports)
        if is_root:
            level.size = (layout.width, layout.height)
            return level
        width = max(layout.width + 2 * _MARGIN, _GROUP[0])
        level.size = (width, layout.height + _HEADER + _MARGIN)
        level.ports = tuple(  # type: ignore[assignment]
            layout.corners[at][0] + _DOT[0] / 2 + (width - layout.width) / 2 - width / 2 if at >= 0 else 0.0
            for at in (self._extra(level, "in"), self._extra(level, "out"))
        )
        return level

    @staticmethod
    def _extra(level: _Level, name: str) -> int:
        return next((len(level.parts) + at for at, extra in enumerate(level.extras) if extra[0] == name), -1)

    def _wired(self, group: Group, *, is_root: bool) -> _Wires:
        wires = _Wires(parts=len(group.children))
        owner = {node: at for at, part in enumerate(group.children) for node in part.members}
        for node, at in owner.items():
            for target, tensor in self.leaving.get(node, ()):
                other = owner.get(target, at)
                if other != at:
                    wires.lines.setdefault((at, other), []).append(tensor)
        if is_root:
            self._attach_terminals(wires, owner)
        else:
            self._attach_dots(wires, owner)
        return wires

    def _attach_terminals(self, wires: _Wires, owner: Mapping[int, int]) -> None:
        """Boxes for the graph's inputs and outputs; many of them share one box."""
        for kind, specs in (("input", self.graph.inputs), ("output", self.graph.outputs)):
            bundles = [[spec] for spec in specs] if len(specs) <= _MANY_TENSORS else [list(specs)]
            for number, bundle in enumerate(bundles):
                at = wires.parts + len(wires.extras)
                wires.extras.append((f"{kind}:{number}", bundle[0], len(bundle)))
                for spec in bundle:
                    if kind == "input":
                        for part in dict.fromkeys(owner[n] for n in self.graph.consumers_of.get(spec.name, ())):
                            wires.lines.setdefault((at, part), []).append(spec.name)
                    elif spec.name in self.graph.producer_of:
                        wires.lines.setdefault((owner[self.graph.producer_of[spec.name]], at), []).append(spec.name)

    def _attach_dots(self, wires: _Wires, owner: Mapping[int, int]) -> None:
        """Points on an open group's edge, where tensors from outside enter and results leave."""
        into: dict[int, list[str]] = {}
        out: dict[int, list[str]] = {}
        for node, at in owner.items():
            taken = [tensor for source, tensor in self.entering.get(node, ()) if source not in owner]
            if taken or node in self.read:
                into.setdefault(at, []).extend([*taken, *self.read.get(node, ())])
            sent = [tensor for target, tensor in self.leaving.get(node, ()) if target not in owner]
            if sent or node in self.given:
                out.setdefault(at, []).extend([*sent, *self.given.get(node, ())])
        for name, found in (("in", into), ("out", out)):
            if found:
                dot = wires.parts + len(wires.extras)
                wires.extras.append((name, None, 0))
                for at, tensors in found.items():
                    wires.lines[(dot, at) if name == "in" else (at, dot)] = list(dict.fromkeys(tensors))

    def _emit(self, level: _Level, x: float, y: float, depth: int, parent: str) -> None:
        box = self.facts.box(
            level.group, place=(x, y, *level.size), depth=depth, parent=parent, is_expanded=level.layout is not None
        )
        self.boxes.append(box)
        if level.layout is not None:
            self._emit_inside(level, x, y, depth + 1)

    def _emit_inside(self, level: _Level, x: float, y: float, depth: int) -> None:
        layout = level.layout
        if layout is None:
            return
        own = level.group.id if depth else ""
        dx, dy = x, y
        if depth:
            dx, dy = x + (level.size[0] - layout.width) / 2, y + _HEADER
        ids = [part.group.id for part in level.parts]
        for (cx, cy), part in zip(layout.corners, level.parts, strict=False):
            self._emit(part, dx + cx, dy + cy, depth, own)
        for (name, spec, count), (cx, cy) in zip(level.extras, layout.corners[len(level.parts) :], strict=True):
            ids.append(name if not depth else own)
            if spec is not None:
                self.boxes.append(terminal(name, spec, count, (dx + cx, dy + cy, *_TERMINAL)))
        for (source, target), tensors in level.lines.items():
            points = [(dx + px, dy + py) for px, py in layout.routes[source, target]]
            if depth and ids[source] == own:
                points.insert(0, (points[0][0], y + _HEADER - 6))
            if depth and ids[target] == own:
                points.append((points[-1][0], y + level.size[1]))
            self.edges.append(self._edge(ids[source], ids[target], points, tensors))

    def _edge(self, source: str, target: str, points: list[tuple[float, float]], tensors: list[str]) -> GraphEdge:
        names = tuple(dict.fromkeys(tensors))
        spec = self.graph.tensors.get(names[0])
        shape = f"{spec.dtype} {spec.shape_text()}" if spec is not None else "shape not known"
        text = clipped(shape) if len(names) == 1 else f"{len(names)} tensors, first {clipped(shape)}"
        rounded = tuple((round(x, 1), round(y, 1)) for x, y in points)
        return GraphEdge(source=source, target=target, points=rounded, tensors=names, text=text)


def op_counts(box: GraphBox) -> str:
    """`Conv ×3, Relu ×2`: the ops of a box in words."""
    return ", ".join(f"{op} ×{count}" if count > 1 else op for op, count in box.op_types)
