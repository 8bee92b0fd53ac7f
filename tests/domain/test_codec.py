"""Domain values survive the way through JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import Enum

import pytest

from trt_core.domain.codec import from_plain, to_plain


class Kind(Enum):
    ONE = "one"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    share: float
    kind: Kind = Kind.ONE


@dataclass(frozen=True, kw_only=True)
class Tree:
    leaves: tuple[Leaf, ...]
    named: dict[str, tuple[float, ...]]
    pair: tuple[str, Leaf | None]
    sizes: tuple[int | str, ...] = ()
    tags: frozenset[str] = field(default_factory=frozenset)
    above: Tree | None = None


def test_values_of_every_kind_come_back_as_they_went():
    inner = Tree(leaves=(), named={}, pair=("", None))
    tree = Tree(
        leaves=(Leaf(share=math.inf), Leaf(share=1.0)),
        named={"a": (0.5, -math.inf)},
        pair=("x", Leaf(share=0.25)),
        sizes=(1, "batch"),
        tags=frozenset({"b", "a"}),
        above=inner,
    )

    assert from_plain(Tree, json.loads(json.dumps(to_plain(tree)))) == tree


def test_unknown_keys_are_ignored_and_missing_ones_take_their_defaults():
    assert from_plain(Leaf, {"share": "nan", "colour": "red"}).kind is Kind.ONE


@pytest.mark.parametrize("plain", [{"share": 1.0, "kind": "two"}, {"kind": "one"}, {"share": "much"}])
def test_what_is_no_such_value_is_refused(plain):
    with pytest.raises((ValueError, TypeError)):
        from_plain(Leaf, plain)


def test_a_pair_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        from_plain(Tree, {"leaves": [], "named": {}, "pair": ["x"]})
