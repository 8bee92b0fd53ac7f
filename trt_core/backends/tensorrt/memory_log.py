"""What a verbose build log says of device memory: the workspace of every layer that asks for some."""

from __future__ import annotations

import re

_LAYER = "Layer: "
# What follows a layer's name; 10 and RTX put "bytes" behind each figure, 8.6 does not.
_SIZES = re.compile(
    r" Host Persistent: \d{1,15}(?: bytes)? Device Persistent: \d{1,15}(?: bytes)? "
    r"Scratch Memory: (?P<scratch>\d{1,15})"
)
_LONGEST_LINE = 5_000
_LONGEST_NAME = 4_000
_MOST = 20_000


def read_scratch(log: str) -> tuple[tuple[str, int], ...]:
    """(layer or compiled block, bytes of workspace) for those that ask for any, as the last build in the log says."""
    found: dict[str, int] = {}
    for line in log.split("\n"):
        sizes = _SIZES.search(line, 0, _LONGEST_LINE) if "Scratch Memory: " in line else None
        if sizes is None or len(found) >= _MOST:
            continue
        _, layer, name = line[: sizes.start()].partition(_LAYER)
        if layer and 0 < len(name) <= _LONGEST_NAME:
            found[name] = int(sizes["scratch"])
    return tuple((name, size) for name, size in found.items() if size)
