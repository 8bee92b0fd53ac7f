"""The samples that come with the project."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An entry of the samples' catalog."""

    key: str
    title: str
    sentence: str
    model: Path
    calibration: Path | None
    test: Path | None
    labels: Path | None
    note: str = ""


def read_catalog(root: Path) -> tuple[Sample, ...]:
    """The samples of a folder's catalog.json, in its order; none where there is no catalog."""
    catalog = root / "catalog.json"
    if not catalog.exists():
        return ()
    entries: list[dict[str, Any]] = json.loads(catalog.read_text())
    return tuple(_sample(root, entry) for entry in entries)


def _sample(root: Path, entry: dict[str, Any]) -> Sample:
    files = {key: root / entry[key] if entry.get(key) else None for key in ("calibration", "test", "labels")}
    return Sample(
        key=entry["key"],
        title=entry["title"],
        sentence=entry["sentence"],
        model=root / entry["model"],
        note=entry.get("note") or "",
        **files,
    )
