"""Domain values to plain JSON values and back, driven by the dataclasses' own annotations."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """A JSON-ready copy: dataclasses to objects, enums to their values, tuples and sets to lists.

    Infinities and NaN become the strings "inf", "-inf" and "nan", because JSON has no word for them.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """The domain value that `to_plain` wrote; unknown keys are ignored, missing ones take their defaults."""
    return typing.cast("T", _decode(kind, value))


def _decode(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        return hint(**{name: _decode(hints[name], item) for name, item in value.items() if name in hints})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if hint is float:
        return float(value)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(hint), value)
    if origin in (tuple, list, frozenset, dict):
        return _decode_container(origin, typing.get_args(hint), value)
    return value


def _decode_union(options: tuple[Any, ...], value: Any) -> Any:
    if value is None:
        return None
    some = [option for option in options if option is not type(None)]
    if len(some) == 1:
        return _decode(some[0], value)
    return value  # unions of plain values (a dimension) need no decoding


def _decode_container(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if origin is dict:
        return {key: _decode(args[1], item) for key, item in value.items()}
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        return tuple(_decode(hint, item) for hint, item in zip(args, value, strict=True))
    return origin(_decode(args[0], item) for item in value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
