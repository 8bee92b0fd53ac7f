"""The ONNX parser's errors as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from trt_core.backends.causes import without_noise

_LONGEST = 120
_INITIALIZER = re.compile(r"Failed to import initializer: (?!In node)(\S.*)$")


@dataclass(frozen=True, kw_only=True)
class NativeParserError:
    """One error. `node` is the index in file order, -1 where an input or an initializer is to blame."""

    node: int
    text: str
    func: str = ""
    inner_name: str = ""
    operator: str = ""
    tensor: str = ""  # a graph input that was refused
    initializer: str = ""  # an initializer that could not be imported
    stack: tuple[str, ...] = ()  # functions and branches around the node, as the parser lists them

    @property
    def where(self) -> str:
        """What the error is about, for the start of a sentence."""
        if self.node >= 0:
            named = _cut(self.inner_name) or self.node
            return f"Node {named} ({self.operator})" if self.operator else f"Node {self.node}"
        if self.initializer:
            return f"Initializer {_cut(self.initializer)!r}"
        return f"Input {_cut(self.tensor)!r}" if self.tensor else "The model"


def _cut(name: str) -> str:
    """A name for a sentence: of one that nobody could read, both ends."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 :]}"


def parser_errors(parser: Any) -> list[NativeParserError]:
    """All errors that a parser holds, in its order."""
    return [_plain(parser.get_error(index)) for index in range(parser.num_errors)]


def _plain(error: Any) -> NativeParserError:
    # TensorRT 8.6 names neither node nor op: callers look them up in the file by index.
    named = hasattr(error, "node_name")
    func = error.func()
    is_input = error.node() < 0 and func == "importInput"
    text = without_noise(error.desc())
    initializer = _INITIALIZER.search(text) if error.node() < 0 and not is_input else None
    return NativeParserError(
        node=error.node(),
        text=text,
        func=func,
        inner_name=error.node_name() if named else "",
        operator=error.node_operator() if named else "",
        tensor=error.file() if is_input else "",
        initializer=initializer[1] if initializer else "",
        stack=tuple(error.local_function_stack()) if hasattr(error, "local_function_stack") else (),
    )
