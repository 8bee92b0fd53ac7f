"""Layers of an engine that was compiled once for each of several optimization profiles."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.findings import Finding, Severity

_PROFILE = re.compile(r" \[profile (?P<number>[1-9]\d*)\]")
_BLOCK = re.compile(r"_myl(?P<number>\d+)_\d+$")
_UNNUMBERED = -1


def further_profiles(record: EngineRecord) -> dict[int, int]:
    """The profile, counted from 0, of every working layer that belongs to another than the first, by layer index.

    Both compilers write `[profile N]` behind the name of such a layer. Kernels that the compiler made itself bear no
    such mark: they belong to the profile that the others of their block (`_mylK_`) name.
    """
    marked: dict[int, int] = {}
    for layer in record.working_layers:
        if found := _PROFILE.search(layer.name):
            marked[_block(layer)] = int(found["number"])
    marked.pop(_UNNUMBERED, None)
    profiles = {}
    for layer in record.working_layers:
        own = _PROFILE.search(layer.name)
        number = int(own["number"]) if own else marked.get(_block(layer), 0)
        if number:
            profiles[layer.index] = number
    return profiles


def _block(layer: EngineLayer) -> int:
    found = _BLOCK.search(layer.name)
    return int(found["number"]) if found else _UNNUMBERED


def in_first_profile(layers: Iterable[int], further: dict[int, int]) -> tuple[int, ...]:
    """The layers of a node that belong to the first profile; all of them where none does."""
    every = tuple(layers)
    return tuple(index for index in every if index not in further) or every


def profile_findings(record: EngineRecord, further: dict[int, int]) -> tuple[Finding, ...]:
    """That the layers of several profiles stand side by side, and which of them the map judges."""
    if not further:
        return ()
    count = 1 + len(set(further.values()))
    first = len(record.working_layers) - len(further)
    return (
        Finding(
            rule="map-of-several-profiles",
            severity=Severity.NOTE,
            message=f"The engine holds {count} optimization profiles, each compiled by itself: {first} of its "
            f"{len(record.working_layers)} layers serve the first, and by it fusions and saved traffic are judged.",
        ),
    )
