"""Two engines of one model, aligned by the nodes they compute: where the time went, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from trt_core.analysis.engine_layers import LayerRow, Role, layer_rows
from trt_core.analysis.engine_places import places
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy

_QUANTIZER = re.compile(r"_(?:Quantize|Dequantize)Linear(?:_clone_\d+)?$|_quantized$")
_HELPER = re.compile(r"^(?:\(Unnamed Layer\*|copied_|reshape_|transpose_|squeeze_|unsqueeze_|onnx::)")
_COPY_OF = re.compile(r"^Reformatting CopyNode for (?:Input|Output) Tensor \d+ to (?P<layer>.+)$")
_MOVES = frozenset({Role.REFORMAT, Role.QDQ, Role.SHAPE})


class Cause(Enum):
    """Why an aligned group takes more or less time in the second engine."""

    LOWER_PRECISION = "computed in lower precision"
    HIGHER_PRECISION = "computed in higher precision"
    SAME_PRECISION = "same precision, other tactic or noise"
    FUSION_LOST = "split over more layers"
    FUSION_LOST_LOWER = "lower precision, but split over more layers"
    FUSION_GAINED = "fused into fewer layers"
    BLOCK = "compiled block"
    BIAS_COPIES = "copies of constants"
    REFORMATS = "reformats and casts"
    QDQ = "Q/DQ that stayed layers of their own"
    OTHER = "other"


class Alignment(Enum):
    """What two engines have in common, by which their layers are put side by side."""

    NODES = "nodes"
    NAMES = "names of layers"
    PLACES = "order and shapes of layers"
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Layers of both engines that compute the same nodes. Times in ms; a side without layers has none."""

    label: str
    nodes: tuple[str, ...]
    first: tuple[LayerRow, ...]
    second: tuple[LayerRow, ...]
    cause: Cause

    @property
    def first_ms(self) -> float:
        """Time of the first engine's layers."""
        return sum(row.time_ms or 0.0 for row in self.first)

    @property
    def second_ms(self) -> float:
        """Time of the second engine's layers."""
        return sum(row.time_ms or 0.0 for row in self.second)

    @property
    def delta_ms(self) -> float:
        """What the second engine takes more."""
        return self.second_ms - self.first_ms

    @property
    def tactic_changed(self) -> bool:
        """True when the working tactics differ."""
        return _tactics(self.first) != _tactics(self.second)

    @property
    def precision_changed(self) -> bool:
        """True when what computes does so in another precision."""
        return working_precisions(self.first) != working_precisions(self.second)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One bar of the waterfall."""

    cause: Cause
    groups: int
    delta_ms: float


@dataclass(frozen=True, kw_only=True)
class EngineComparison:
    """Two engines aligned. `steps` lead from the first sum of layer times to the second, the largest change first."""

    first: EngineStudy
    second: EngineStudy
    groups: tuple[Aligned, ...]
    alignment: Alignment = Alignment.NODES

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """What each cause adds up to."""
        counts = Counter(group.cause for group in self.groups)
        deltas = {cause: sum(g.delta_ms for g in self.groups if g.cause is cause) for cause in counts}
        steps = [Step(cause=cause, groups=counts[cause], delta_ms=delta) for cause, delta in deltas.items()]
        return tuple(sorted(steps, key=lambda step: -abs(step.delta_ms)))


def compare_engines(first: EngineStudy, second: EngineStudy) -> EngineComparison:
    """Align two engines by the nodes that their layers compute, and name a cause for each group.

    Layers that share a node, directly or over others, form one group, so that what one engine fuses and the other does
    not stays together. A reformat joins the layer that it is made for. Layers without any known node pair by name.
    Where the engines share neither, as when nodes are only numbered, the order and shapes of layers align them.
    """
    rows = (layer_rows(first), layer_rows(second))
    keys = [[_keys(row, side) for row in side] for side in rows]
    find = _joined(key for side in keys for key in side)
    by_name = _groups(rows, [[find(key[0]) for key in side] for side in keys])
    alignment = _alignment(by_name)
    if alignment is not Alignment.NOTHING:
        return EngineComparison(first=first, second=second, groups=by_name, alignment=alignment)
    found = places(first, second, rows)
    if found is None:
        return EngineComparison(first=first, second=second, groups=by_name, alignment=alignment)
    placed = [
        [f"{number} {row.role.value if row.role in _MOVES else ''}" for row, number in zip(side, numbers, strict=True)]
        for side, numbers in zip(rows, found, strict=True)
    ]
    return EngineComparison(first=first, second=second, groups=_groups(rows, placed), alignment=Alignment.PLACES)


def _groups(rows: Sequence[Sequence[LayerRow]], keys: Sequence[Sequence[str]]) -> tuple[Aligned, ...]:
    """Rows of both sides under one key together, in the order in which they run."""
    groups: dict[str, tuple[list[LayerRow], list[LayerRow]]] = {}
    for place, (side, own) in enumerate(zip(rows, keys, strict=True)):
        for row, key in zip(side, own, strict=True):
            groups.setdefault(key, ([], []))[place].append(row)
    aligned = [_aligned(a, b) for a, b in groups.values()]
    return tuple(sorted(aligned, key=lambda group: min(row.position for row in (*group.first, *group.second))))


def _alignment(groups: Sequence[Aligned]) -> Alignment:
    both = [group for group in groups if group.first and group.second]
    if any(group.nodes for group in both):
        return Alignment.NODES
    working = [sum(row.role not in _MOVES for row in (*group.first, *group.second)) for group in both]
    every = sum(row.role not in _MOVES for group in groups for row in (*group.first, *group.second))
    return Alignment.NAMES if every and 2 * sum(working) >= every else Alignment.NOTHING


def _keys(row: LayerRow, rows: Sequence[LayerRow]) -> tuple[str, ...]:
    """What a layer is aligned by: its nodes; for a reformat the nodes of its layer under a mark of its own."""
    copied = _COPY_OF.match(row.name)
    if copied:
        owner = next((item for item in rows if item.name == copied["layer"]), None)
        nodes = node_names(owner.sources) if owner is not None else ()
        return (f"copy:{nodes[0] if nodes else copied['layer']}",)
    if row.role is Role.QDQ:
        return (f"qdq:{_QUANTIZER.sub('', row.name)}",)
    return node_names(row.sources) or (f"name:{row.name}",)


def node_names(sources: Iterable[str]) -> tuple[str, ...]:
    """The model's own nodes among a layer's names: quantizers, constants and the builder's inventions left out."""
    return tuple(dict.fromkeys(name for name in sources if not _QUANTIZER.search(name) and not _HELPER.match(name)))


class _Union:
    """Disjoint sets of keys."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def __call__(self, key: str) -> str:
        root = key
        while self._parent.setdefault(root, root) != root:
            root = self._parent[root]
        while self._parent[key] != root:
            self._parent[key], key = root, self._parent[key]
        return root

    def join(self, keys: Sequence[str]) -> None:
        for key in keys[1:]:
            self._parent[self(key)] = self(keys[0])


def _joined(groups: Iterable[Sequence[str]]) -> _Union:
    union = _Union()
    for keys in groups:
        union.join(keys)
    return union


def _aligned(first: Sequence[LayerRow], second: Sequence[LayerRow]) -> Aligned:
    rows = [*first, *second]
    nodes = tuple(dict.fromkeys(name for row in rows for name in node_names(row.sources)))
    return Aligned(
        label=" + ".join(nodes) or rows[0].name,
        nodes=nodes,
        first=tuple(first),
        second=tuple(second),
        cause=_cause(first, second),
    )


def working_precisions(rows: Sequence[LayerRow]) -> frozenset[Precision]:
    """The precisions of the layers that compute, moves left out unless there is nothing else."""
    working = [row for row in rows if row.role not in _MOVES] or list(rows)
    return frozenset(row.precision for row in working)


def _tactics(rows: Sequence[LayerRow]) -> frozenset[str]:
    return frozenset(row.tactic for row in rows if row.role not in _MOVES)


def _cause(first: Sequence[LayerRow], second: Sequence[LayerRow]) -> Cause:
    rows = [*first, *second]
    if all(row.role is Role.QDQ for row in rows):
        return Cause.QDQ
    if all(row.role in _MOVES for row in rows):
        copies = all(row.kind.lower() == "myelinreformat" or row.origin == "CAST" for row in rows)
        return Cause.BIAS_COPIES if copies else Cause.REFORMATS
    if not first or not second:
        return Cause.OTHER
    if any(row.role is Role.BLOCK for row in rows):
        return Cause.BLOCK
    before, after = (min(_rank(item) for item in working_precisions(side)) for side in (first, second))
    one, other = (sum(row.role not in _MOVES for row in side) for side in (first, second))
    if after < before:
        return Cause.FUSION_LOST_LOWER if other > one else Cause.LOWER_PRECISION
    if after > before:
        return Cause.HIGHER_PRECISION
    if one != other:
        return Cause.FUSION_LOST if other > one else Cause.FUSION_GAINED
    return Cause.SAME_PRECISION


_RANKS = {
    Precision.INT4: 4, Precision.FP8: 8, Precision.INT8: 8, Precision.FP16: 16, Precision.BF16: 16,
    Precision.TF32: 19, Precision.FP32: 32, Precision.UNKNOWN: 64,
}  # fmt: skip


def _rank(precision: Precision) -> int:
    return _RANKS[precision]
