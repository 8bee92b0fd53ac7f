"""Names of ONNX nodes in what a compiler writes about its layers."""

from __future__ import annotations

import re

_SEPARATORS = re.compile("[\x1e\x1f]")
_ONNX_LAYER = "[ONNX Layer: "
_OPERATOR = re.compile(r" \([^()]*\)$")
_PROFILE = re.compile(r" \[profile \d+\]$")
_POINTWISE = re.compile(r"^(?:PWN|fusedPointwiseNode)\((?P<inside>.*)\)$", re.DOTALL)
_MOVES = ("Reformatting CopyNode for ", "{ForeignNode[", "(Unnamed Layer* ", "reshape_before_", "reshape_after_")


def source_names(metadata: str) -> tuple[str, ...]:
    """Names of the file's top-level nodes in a layer's metadata, in its order, each once.

    Entries are parted by 0x1E or 0x1F. A node inside a function or a branch is listed as `inner | fn (Fn)`, innermost
    first: the last part is the top-level node. Text behind the last `]` (`__gemm_from_conv1x1`) is the compiler's
    remark. An entry that was cut is left out.
    """
    found: dict[str, None] = {}
    for entry in _SEPARATORS.split(metadata):
        start, end = entry.find(_ONNX_LAYER), entry.rfind("]")
        if start < 0 or end < start + len(_ONNX_LAYER):
            continue
        inner, nested, outer = entry[start + len(_ONNX_LAYER) : end].rpartition(" | ")
        name = _OPERATOR.sub("", outer) if nested and inner else outer
        if name:
            found[name] = None
    return tuple(found)


def names_in(layer: str) -> tuple[str, ...]:
    """Names that a layer's own name is put together from: `a + b`, `PWN(a, b)`, `a [profile 1]`, each once.

    An inference: a node's name may hold ` + ` or a comma itself. A reformat and the range of a foreign node give none,
    because neither lists what it computes.
    """
    found: dict[str, None] = {}
    for part in _parts(_PROFILE.sub("", layer)):
        inside = _POINTWISE.match(part)
        if inside:
            names = [name for piece in _parts(inside["inside"], ", ") for name in names_in(piece)]
            found.update(dict.fromkeys(names))
        elif part and not part.startswith(_MOVES):
            found[part] = None
    return tuple(found)


def _parts(text: str, separator: str = " + ") -> list[str]:
    """The text cut at separators that stand outside every bracket."""
    parts, depth, begin, position = [], 0, 0, 0
    while position < len(text):
        if depth == 0 and text.startswith(separator, position):
            parts.append(text[begin:position])
            position += len(separator)
            begin = position
            continue
        depth += (text[position] in "([{") - (text[position] in ")]}")
        depth = max(depth, 0)
        position += 1
    return [*parts, text[begin:]]
