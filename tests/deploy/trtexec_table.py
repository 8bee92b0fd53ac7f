"""Which options trtexec knows, release by release."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def _table() -> dict:
    return json.loads(Path(__file__).with_name("trtexec_flags.json").read_text())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))[:3]


def flags_of(version: str) -> set[str]:
    """The options of that TensorRT; one that the table has not takes the newest before it."""
    versions = _table()["versions"]
    place = max(number for number, known in enumerate(versions) if _numbers(known) <= _numbers(version))
    return {
        flag
        for flag, runs in _table()["flags"].items()
        if any(versions.index(first) <= place <= versions.index(last) for first, last in runs)
    }


def flags_of_major(release: str) -> set[str]:
    """The options that every release of a major version in the table knows, such as `10.x`."""
    major = release.split(".", maxsplit=1)[0]
    return set.intersection(*(flags_of(known) for known in _table()["versions"] if known.split(".")[0] == major))
