"""Attention in an engine's layers: is it one kernel, and are its three projections one product?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trt_core.analysis.engine_layers import LayerRow, Role
from trt_core.domain.findings import Finding, Severity, counted
from trt_core.domain.recordings import EngineStudy

_PROJECTIONS = {
    "query": ("query", "q_proj", "q_lin", "to_q"),
    "key": ("key", "k_proj", "k_lin", "to_k"),
    "value": ("value", "v_proj", "v_lin", "to_v"),
}


def is_attention(row: LayerRow) -> bool:
    """True for a fused attention kernel, by its name."""
    return "mha" in f"{row.name} {row.kernel}".lower()


def attention_not_fused(rows: Sequence[LayerRow], study: EngineStudy) -> Finding | None:
    """Fewer fused kernels than Softmaxes; one whose result leaves the engine is a classifier's, not attention's."""
    border = {tensor.name for tensor in study.record.io_tensors}
    layers = study.record.layers
    inner = [row for row in rows if not any(tensor.name in border for tensor in layers[row.position].outputs)]
    softmax = sum(any("softmax" in name.lower() for name in row.sources) for row in inner)
    fused = [row for row in rows if is_attention(row)]
    if not softmax or len(fused) >= softmax:
        return None
    return Finding(
        rule="attention-not-fused",
        severity=Severity.NOTE,
        message=f"{counted(len(fused), 'fused attention kernel')} for {counted(softmax, 'layer')} with a Softmax.",
        remedy="Look at the fusion page for the nodes between the two matrix multiplications.",
    )


def projections_not_fused(rows: Sequence[LayerRow]) -> Finding | None:
    """Queries, keys and values in products of their own; silent where the nodes' names do not say which is which."""
    found = [(row, _projected(row)) for row in rows if row.role is Role.MATRIX]
    alone = [(row, what) for row, what in found if len(what) == 1]
    if len({next(iter(what)) for _, what in alone}) < len(_PROJECTIONS):
        return None
    share = sum(row.share or 0.0 for row, _ in alone)
    together = sum(len(what) == len(_PROJECTIONS) for _, what in found)
    return Finding(
        rule="projections-not-fused",
        severity=Severity.NOTE,
        message=f"{len(alone)} layers compute queries, keys or values alone ({share:.0%} of the time); "
        f"{together} {'computes' if together == 1 else 'compute'} all three at once.",
        remedy="Export one product whose result is split, where the three read the same tensor.",
        nodes=tuple(row.name for row, _ in alone),
        evidence="the nodes' names",
    )


def _projected(row: LayerRow) -> frozenset[str]:
    parts = [part for name in row.sources for part in re.split(r"[/.]", name.lower())]
    return frozenset(what for what, words in _PROJECTIONS.items() if any(part in words for part in parts))
