"""Weakly typed networks of TensorRT 8.6 and 10: flags allow precisions, constraints keep layers out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trt_core.backends.names import lookup
from trt_core.domain.precision import KeepRule, Precision
from trt_core.errors import NotFound

_DTYPES = {Precision.FP32: "DataType.FLOAT", Precision.FP16: "DataType.HALF"}


def hold_in_fp32(trt: Any, network: Any, nodes: frozenset[str]) -> bool:
    """Keep in FP32 what the file computes in FP32 beside FP16 layers: the FP16 flag alone would overrule its casts.

    A layer is told by its node's name. Tensors of a network do not help: they are FP32 until the engine is built.
    True where a layer was held.
    """
    single = lookup(trt, "DataType.FLOAT")
    held = False
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.name in nodes:
            _constrain(layer, single, {single, lookup(trt, "DataType.HALF")})
            held = True
    return held


def keep_nodes(trt: Any, network: Any, rules: Sequence[KeepRule]) -> None:
    """Keep named nodes in FP32 or FP16; NotFound for a name that no layer has."""
    layers = {network.get_layer(index).name: network.get_layer(index) for index in range(network.num_layers)}
    floating = {lookup(trt, "DataType.FLOAT"), lookup(trt, "DataType.HALF")}
    for rule in rules:
        if rule.node not in layers:
            raise NotFound(f"No layer is named {rule.node[:120]!r}.", remedy="Copy a node's name from the file.")
        _constrain(layers[rule.node], lookup(trt, _DTYPES[rule.precision]), floating)


def _constrain(layer: Any, dtype: Any, floating: set[Any]) -> None:
    layer.precision = dtype
    for at in range(layer.num_outputs):
        if layer.get_output(at).dtype in floating:
            layer.set_output_type(at, dtype)
