"""Weakly typed networks of TensorRT 8.6 and 10: flags allow precisions, constraints keep layers out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.options import set_flag
from trt_core.domain.precision import KeepRule, Precision
from trt_core.errors import NotFound, UnsupportedRequest

_FLAGS = {Precision.FP16: "BuilderFlag.FP16", Precision.INT8: "BuilderFlag.INT8", Precision.BF16: "BuilderFlag.BF16"}
_DTYPES = {Precision.FP32: "DataType.FLOAT", Precision.FP16: "DataType.HALF"}
# They compute nothing in a floating dtype of their own, or follow what they read.
_FREE = frozenset({"CONSTANT", "SHAPE", "CAST", "IDENTITY", "QUANTIZE", "DEQUANTIZE", "SHUFFLE"})


def allow(trt: Any, config: Any, precisions: Iterable[Precision]) -> None:
    """Set the flags of the precisions that layers may run in."""
    for precision in sorted(set(precisions), key=lambda item: item.value):
        if precision in _FLAGS:
            set_flag(trt, config, _FLAGS[precision])


def hold_file_types(trt: Any, network: Any, config: Any) -> int:
    """Keep in FP32 what the file computes in FP32 beside FP16 layers; the number of layers that are held.

    The file's casts say where FP32 was wanted; without constraints the FP16 flag would overrule them.
    """
    single = lookup(trt, "DataType.FLOAT")
    floating = {single, lookup(trt, "DataType.HALF")}
    held = 0
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type.name in _FREE or layer.num_outputs == 0:
            continue
        read = [layer.get_input(at) for at in range(layer.num_inputs)]
        written = [layer.get_output(at) for at in range(layer.num_outputs)]
        floats = [item.dtype for item in (*read, *written) if item is not None and item.dtype in floating]
        if floats and all(dtype == single for dtype in floats):
            held += _constrain(layer, single, written, floating)
    if held:
        set_flag(trt, config, "BuilderFlag.PREFER_PRECISION_CONSTRAINTS")
    return held


def keep_nodes(trt: Any, network: Any, config: Any, rules: Sequence[KeepRule]) -> None:
    """Keep named nodes in FP32 or FP16; NotFound for a name that no layer has."""
    layers = {network.get_layer(index).name: network.get_layer(index) for index in range(network.num_layers)}
    floating = {lookup(trt, "DataType.FLOAT"), lookup(trt, "DataType.HALF")}
    for rule in rules:
        if rule.node not in layers:
            raise NotFound(f"No layer is named {rule.node[:120]!r}.", remedy="Copy a node's name from the file.")
        layer = layers[rule.node]
        written = [layer.get_output(at) for at in range(layer.num_outputs)]
        _constrain(layer, lookup(trt, _DTYPES[rule.precision]), written, floating)
    if rules:
        set_flag(trt, config, "BuilderFlag.OBEY_PRECISION_CONSTRAINTS")


def _constrain(layer: Any, dtype: Any, written: Sequence[Any], floating: set[Any]) -> int:
    layer.precision = dtype
    for at, tensor in enumerate(written):
        if tensor.dtype in floating:
            layer.set_output_type(at, dtype)
    return 1


def mark_outputs(network: Any, names: Sequence[str]) -> None:
    """Make inner tensors outputs as well; NotFound for one that the network does not have.

    This changes what the compiler may fuse: compare the engine with one without.
    """
    wanted = set(names) - {network.get_output(at).name for at in range(network.num_outputs)}
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        for at in range(layer.num_outputs):
            tensor = layer.get_output(at)
            if tensor.name in wanted:
                wanted.discard(tensor.name)
                if tensor.is_shape_tensor:
                    raise UnsupportedRequest(f"{tensor.name!r} is a shape.", remedy="Choose a tensor with data.")
                network.mark_output(tensor)
    if wanted:
        raise NotFound(f"The network has no tensor {min(wanted)!r}.", remedy="Name a tensor of the file's graph.")
