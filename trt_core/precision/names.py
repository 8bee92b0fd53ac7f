"""Node names that survive a compiler's records."""

from __future__ import annotations

import hashlib
import unicodedata

from trt_core.onnx_graph.naming import node_name
from trt_core.precision.draft import Draft

# The parser fails on names of a few thousand characters, and its records cut long lists in the middle.
LONGEST_NAME = 900
# These end or split an entry of the compiler's records ("[ONNX Layer: name | function]").
_UNSAFE = frozenset("]|")


def make_names_unique(draft: Draft) -> None:
    """Give every node a unique, safe name; a name that is both already stays."""
    used: set[str] = set()
    wanted = [safe_name(node_name(node.proto)) for node in draft.nodes]
    reserved = set(wanted)
    last: dict[str, int] = {}  # number given to a name: thousands of nodes may share one
    for node, name in zip(draft.nodes, wanted, strict=True):
        unique, number = name, last.get(name, 1)
        while unique in used:
            number += 1
            candidate = f"{name}_{number}"
            unique = candidate if candidate not in reserved else unique
        last[name] = number
        used.add(unique)
        node.proto.name = unique
    draft.taken |= used


def safe_name(name: str) -> str:
    """The name without `]`, `|` and control characters, at most 900 characters (a digest tells cut ones apart)."""
    cleaned = "".join(
        "_" if char in _UNSAFE or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in name
    )
    if len(cleaned) <= LONGEST_NAME:
        return cleaned
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{cleaned[: LONGEST_NAME - 13]}_{digest}"
