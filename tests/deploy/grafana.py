"""Grafana's own schema of a dashboard, as its Foundation SDK carries it for the release that the bundle pins.

The SDK's classes are generated from Grafana's schema, and read a dashboard without judging it. Judged is here: a field that
the schema does not know, a field that it requires and that is missing, and a value of another type.
"""

from __future__ import annotations

import copy
import enum
import importlib.metadata
import types
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

_PACKAGE = "grafana-foundation-sdk"


def schema_release() -> str:
    """The Grafana release whose schema is installed, such as `11.1.0`; the epoch before it is the SDK's own date."""
    return importlib.metadata.version(_PACKAGE).rpartition("!")[2]


def complaints(board: dict[str, Any]) -> list[str]:
    """What the schema has against a dashboard, each with its place; empty when it is one."""
    plugins.register_default_plugins()
    try:
        read = Dashboard.from_json(copy.deepcopy(board))
    except (KeyError, TypeError, AttributeError) as error:
        return [f"dashboard cannot be read: {error!r}"]
    return sorted(_of_object(read, board, "dashboard"))


def _of_object(read: Any, data: dict[str, Any], place: str) -> Iterator[str]:
    known = read.to_json()
    for name in data.keys() - known.keys():
        yield f"{place}.{name} is unknown"
    for name in _required(read) - data.keys():
        yield f"{place}.{name} is missing"
    for attribute, hint in typing.get_type_hints(type(read)).items():
        value = getattr(read, attribute)
        if not _conforms(value, hint):
            yield f"{place}: {attribute} is {value!r}"
    for name in data.keys() & known.keys():
        yield from _inside(known[name], data[name], f"{place}.{name}")


def _inside(read: Any, data: Any, place: str) -> Iterator[str]:
    if hasattr(read, "to_json"):
        yield from _of_object(read, data, place)
    elif isinstance(read, list):
        for number, (one, other) in enumerate(zip(read, data, strict=True)):
            yield from _inside(one, other, f"{place}[{number}]")


def _required(read: Any) -> set[str]:
    """What the object writes even when every field that may be left out is left out."""
    bare = copy.copy(read)
    for attribute, hint in typing.get_type_hints(type(read)).items():
        if types.NoneType in typing.get_args(hint):
            setattr(bare, attribute, None)
    return set(bare.to_json())


def _conforms(value: Any, hint: Any) -> bool:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_conforms(value, part) for part in parts)
    if origin is typing.Literal:
        return value in parts
    if origin is list:
        return isinstance(value, list) and all(_conforms(item, parts[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_conforms(item, parts[1]) for item in value.values())
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [item.value for item in hint] or isinstance(value, hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))
