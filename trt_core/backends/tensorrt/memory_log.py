"""What a verbose build log says of device memory: the workspace of every layer that asks for some."""

from __future__ import annotations

import re

# "Layer: NAME Host Persistent: 32 Device Persistent: 0 Scratch Memory: 6819840", in 10 and RTX with "bytes" behind each.
_LAYER = re.compile(
    r"Layer: (?P<name>.{1,4000}?) Host Persistent: \d+(?: bytes)? Device Persistent: \d+(?: bytes)? "
    r"Scratch Memory: (?P<scratch>\d{1,15})"
)
_MOST = 20_000


def read_scratch(log: str) -> tuple[tuple[str, int], ...]:
    """(layer or compiled block, bytes of workspace) for those that ask for any, as the last build in the log says."""
    found: dict[str, int] = {}
    for line in log.split("\n"):
        match = _LAYER.search(line[:5000]) if "Scratch Memory: " in line else None
        if match and len(found) < _MOST:
            found[match["name"]] = int(match["scratch"])
    return tuple((name, size) for name, size in found.items() if size)
