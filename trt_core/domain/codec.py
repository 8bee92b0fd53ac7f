"""Domain values to plain JSON values and back, driven by the dataclasses' own annotations."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cache, partial
from typing import Any, TypeVar

T = TypeVar("T")
_Decode = Callable[[Any], Any]


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
    decode = _decoder(typing.cast("Any", kind))
    return typing.cast("T", decode(value))


def _as_is(value: Any) -> Any:
    return value


@cache
def _decoder(hint: Any) -> _Decode:
    """What makes a value of that kind: decided once, because a run of 5,000 layers holds a million numbers."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return partial(_decode_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is float:
        return float
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder(args)
    if origin in (tuple, list, frozenset, dict):
        return _container_decoder(origin, args)
    return _as_is


def _decode_dataclass(kind: Callable[..., Any], value: dict[str, Any]) -> Any:
    decoders = _field_decoders(kind)
    return kind(**{name: decoders[name](item) for name, item in value.items() if name in decoders})


@cache
def _field_decoders(kind: Callable[..., Any]) -> dict[str, _Decode]:
    return {name: _decoder(hint) for name, hint in typing.get_type_hints(kind).items()}


def _union_decoder(options: tuple[Any, ...]) -> _Decode:
    some = [option for option in options if option is not type(None)]
    if len(some) != 1:
        return _as_is  # unions of plain values (a dimension) need no decoding
    decode = _decoder(some[0])
    return lambda value: None if value is None else decode(value)


def _container_decoder(origin: Any, args: tuple[Any, ...]) -> _Decode:
    if origin is dict:
        of_value = _decoder(args[1])
        return lambda value: {key: of_value(item) for key, item in value.items()}
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        decoders = [_decoder(hint) for hint in args]
        return lambda value: tuple(decode(item) for decode, item in zip(decoders, value, strict=True))
    of_item = _decoder(args[0])
    if of_item is _as_is:
        return typing.cast("_Decode", origin)
    return lambda value: origin(map(of_item, value))
