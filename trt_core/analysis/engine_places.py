"""Layers of two engines aligned without names: by the order in which they run and the shapes that they read and write.

What convolves, multiplies or is compiled as a block is an anchor; anchors of both engines with the same shapes in the
same order are one place, and what stands between two of them belongs to the place before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from trt_core.analysis.engine_layers import LayerRow, has_matrix_work
from trt_core.domain.recordings import EngineStudy

_ENOUGH = 0.5  # of the anchors of the engine that has more: below that, they hardly compute the same

Places = tuple[tuple[int, ...], tuple[int, ...]]


def places(
    first: EngineStudy, second: EngineStudy, rows: tuple[Sequence[LayerRow], Sequence[LayerRow]]
) -> Places | None:
    """The number of every row's place, 0 for what runs before the first; None where too little follows each other."""
    anchors = [[row for row in side if has_matrix_work(row)] for side in rows]
    shapes = [[_shapes(study, row) for row in side] for study, side in zip((first, second), anchors, strict=True)]
    matcher = SequenceMatcher(a=shapes[0], b=shapes[1], autojunk=False)
    pairs = [
        (anchors[0][block.a + step].position, anchors[1][block.b + step].position)
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
        if shapes[0][block.a + step]
    ]
    if not pairs or len(pairs) < _ENOUGH * max(map(len, anchors)):
        return None
    return _numbered(rows[0], [one for one, _ in pairs]), _numbered(rows[1], [other for _, other in pairs])


def _numbered(rows: Sequence[LayerRow], starts: Sequence[int]) -> tuple[int, ...]:
    begins = set(starts)
    number, found = 0, []
    for row in rows:
        number += row.position in begins
        found.append(number)
    return tuple(found)


def _shapes(study: EngineStudy, row: LayerRow) -> tuple[tuple[int, ...], ...]:
    """The shapes of a layer's first input and output; () where the record holds no output."""
    layer = study.record.layers[row.position]
    return (
        tuple(tuple(ends[0].shape) if ends else () for ends in (layer.inputs, layer.outputs)) if layer.outputs else ()
    )
