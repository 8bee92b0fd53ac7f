"""Tactic, origin, weights and multiply-accumulates of each layer, out of the inspector's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

from trt_core.domain.recordings import LayerFacts
from trt_core.domain.tensors import BITS

_DTYPES = {"float": "float32", "half": "float16", "fp16": "float16", "fp32": "float32", "int8": "int8"}


def layer_facts(text: str) -> tuple[LayerFacts, ...]:
    """One entry for every layer that `engine_record_from_json` lists, in its order; ValueError for no JSON."""
    whole = json.loads(text, strict=False)
    fields = {str(key).lower(): value for key, value in whole.items()} if isinstance(whole, dict) else {}
    listed = fields.get("layers")
    found = []
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, str):
            found.append(LayerFacts(name=item))
        elif isinstance(item, dict):
            found.append(_facts({str(key).lower(): value for key, value in item.items()}))
    return tuple(found)


def _facts(fields: Mapping[str, Any]) -> LayerFacts:
    # A convolution with its activation and pooling (ConvActPool) says the same behind a prefix.
    weights = _sized(fields.get("weights")) or _sized(fields.get("convweights"))
    bias = _sized(fields.get("bias")) or _sized(fields.get("convbias"))
    return LayerFacts(
        name=_text(fields, "name"),
        tactic=_text(fields, "tacticvalue") or _text(fields, "tacticname"),
        origin=_text(fields, "origin"),
        macs=_macs(fields, weights[1]) if weights else None,
        weight_bytes=sum(bits * count // 8 for bits, count in filter(None, (weights, bias))),
        has_dynamic_bias=bool(fields.get("hasdynamicbias") or fields.get("convhasdynamicbias")),
    )


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    return value if isinstance(value, str) else ""


def _sized(value: object) -> tuple[int, int] | None:
    """(bits of an element, elements) of `{"Type": "Half", "Count": 9408}`; None for anything else, and for none."""
    if not isinstance(value, dict):
        return None
    inner = {str(key).lower(): item for key, item in value.items()}
    count, dtype = inner.get("count"), str(inner.get("type", "")).lower()
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 1 << 48:
        return None
    return BITS.get(_DTYPES.get(dtype, dtype), 32), count


def _macs(fields: Mapping[str, Any], weights: int) -> int | None:
    """Weights times positions of the output: each weight is used once for every position.

    A deconvolution uses each of its weights once for every position of its input. A layer that also pools writes fewer
    positions than its convolution computes: those come from the input and the stride.
    """
    prefix = "conv" if "convoutmaps" in fields else ""
    maps = fields.get(f"{prefix}outmaps")
    if not isinstance(maps, int) or maps < 1:
        return None
    if prefix:
        sizes, strides = _shape(fields.get("inputs")), fields.get("convstride")
        if len(sizes) < 3 or not isinstance(strides, list) or not _all_ints(strides) or 0 in strides:
            return None
        sizes = (sizes[0], maps, *(-(-size // stride) for size, stride in zip(sizes[2:], strides, strict=False)))
    else:
        kind = _text(fields, "layertype") + _text(fields, "parametertype")
        sizes = _shape(fields.get("inputs" if "deconv" in kind.lower() else "outputs"))
    if len(sizes) < 2 or min(sizes) < 1:
        return None
    return weights * sizes[0] * prod(sizes[2:])


def _shape(tensors: object) -> tuple[int, ...]:
    first = tensors[0] if isinstance(tensors, list) and tensors else None
    dims = first.get("Dimensions", first.get("dimensions")) if isinstance(first, dict) else None
    return tuple(dims) if isinstance(dims, list) and _all_ints(dims) else ()


def _all_ints(values: list[Any]) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) and abs(item) < 1 << 31 for item in values)
