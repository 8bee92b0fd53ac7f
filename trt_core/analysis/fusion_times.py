"""Measured times of engine layers, laid over the map between nodes and layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from trt_core.domain.fusion import FusionMap

# Shares of the whole time from which a layer has the next, darker step; what was not timed has none.
HEAT = (("<1 %", 0.0), ("≥1 %", 0.01), ("≥3 %", 0.03), ("≥10 %", 0.10), ("≥30 %", 0.30))
NOT_TIMED = "– not timed"


def layer_times(fusion: FusionMap, profile: Sequence[tuple[str, str, float]]) -> dict[int, float]:
    """Mean ms by layer index, from a profile of (layer name, kind, mean ms); names that the map lacks are left out.

    Layers of one name share its time evenly.
    """
    of_name: dict[str, float] = defaultdict(float)
    for name, _, mean_ms in profile:
        of_name[name] += mean_ms
    named: dict[str, list[int]] = defaultdict(list)
    for layer in fusion.layers:
        named[layer.name].append(layer.index)
    return {
        index: of_name[name] / len(indices) for name, indices in named.items() if name in of_name for index in indices
    }


def heat_keys(fusion: FusionMap, times_ms: Mapping[int, float]) -> dict[int, str]:
    """A step of HEAT for every node: the share of the whole time that its engine layers take."""
    total = sum(times_ms.values())
    found = {}
    for node in fusion.nodes:
        timed = [times_ms[index] for index in node.layers if index in times_ms]
        share = sum(timed) / total if total > 0.0 else 0.0
        found[node.index] = [name for name, least in HEAT if share >= least][-1] if timed else NOT_TIMED
    return found
