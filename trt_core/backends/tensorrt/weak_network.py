"""Weakly typed networks of TensorRT 8.6 and 10: flags allow precisions, constraints keep layers out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.options import set_flag
from trt_core.domain.precision import KeepRule, Precision
from trt_core.errors import NotFound

_FLAGS = {Precision.FP16: "BuilderFlag.FP16", Precision.INT8: "BuilderFlag.INT8", Precision.BF16: "BuilderFlag.BF16"}
_DTYPES = {Precision.FP32: "DataType.FLOAT", Precision.FP16: "DataType.HALF"}


def allow(trt: Any, config: Any, precisions: Iterable[Precision]) -> None:
    """Set the flags of the precisions that layers may run in."""
    for precision in sorted(set(precisions), key=lambda item: item.value):
        if precision in _FLAGS:
            set_flag(trt, config, _FLAGS[precision])


def hold_in_fp32(trt: Any, network: Any, config: Any, nodes: frozenset[str]) -> None:
    """Keep in FP32 what the file computes in FP32 beside FP16 layers: the FP16 flag alone would overrule its casts.

    A layer is told by its node's name. Tensors of a network do not help: they are FP32 until the engine is built.
    """
    single = lookup(trt, "DataType.FLOAT")
    held = 0
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.name in nodes:
            _constrain(layer, single, {single, lookup(trt, "DataType.HALF")})
            held += 1
    if held:
        set_flag(trt, config, "BuilderFlag.PREFER_PRECISION_CONSTRAINTS")


def keep_nodes(trt: Any, network: Any, config: Any, rules: Sequence[KeepRule]) -> None:
    """Keep named nodes in FP32 or FP16; NotFound for a name that no layer has."""
    layers = {network.get_layer(index).name: network.get_layer(index) for index in range(network.num_layers)}
    floating = {lookup(trt, "DataType.FLOAT"), lookup(trt, "DataType.HALF")}
    for rule in rules:
        if rule.node not in layers:
            raise NotFound(f"No layer is named {rule.node[:120]!r}.", remedy="Copy a node's name from the file.")
        _constrain(layers[rule.node], lookup(trt, _DTYPES[rule.precision]), floating)
    if rules:
        set_flag(trt, config, "BuilderFlag.OBEY_PRECISION_CONSTRAINTS")


def _constrain(layer: Any, dtype: Any, floating: set[Any]) -> None:
    layer.precision = dtype
    for at in range(layer.num_outputs):
        if layer.get_output(at).dtype in floating:
            layer.set_output_type(at, dtype)
