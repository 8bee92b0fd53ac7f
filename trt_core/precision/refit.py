"""A quantized file with its scales taken anew: tells a scale that does not fit from a format that does not suffice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trt_core.domain.divergence import ScaleChange
from trt_core.domain.precision import TensorRange
from trt_core.precision.attributes import attribute

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]
_LIMITS = {np.dtype(np.int8): (-127, 127), np.dtype(np.uint8): (0, 255)}
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def scaled_activations(model: onnx.ModelProto, known: Iterable[str]) -> tuple[str, ...]:
    """Tensors out of `known` that one INT8 or UINT8 scale of the file quantizes: their ranges are to be measured."""
    parts, names = _Parts(model), set(known)
    found = (node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear" and parts.is_plain(node))
    return tuple(dict.fromkeys(name for name in found if name in names))


def refitted(model: onnx.ModelProto, baseline: onnx.ModelProto, ranges: Iterable[TensorRange]) -> onnx.ModelProto:
    """The file with scales and zero points of its Q/DQ pairs as its own tensors ask for: MinMax, of INT8 or UINT8.

    An activation's is taken from `ranges`, a weight's from the weight: per channel where the file's is. Weights that
    the file holds in INT8 already are quantized again from those of `baseline`, where a node of that output has a
    weight of the same shape there. What cannot be refitted stays as it is.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    parts, measured = _Parts(made), {item.tensor: item for item in ranges}
    for node in list(made.graph.node):
        if node.op_type == "QuantizeLinear" and parts.is_quantizer(node):
            held = parts.array(node.input[0])
            if held is not None:
                parts.refit(node, *_of_weight(held, parts, node))
            elif node.input[0] in measured and parts.is_plain(node):
                item = measured[node.input[0]]
                parts.refit(node, *_fitting(np.float64(item.low), np.float64(item.high), parts.dtype(node)))
    _refit_stored(parts, baseline)
    return made


class _Parts:
    """The constants of a model, and its Q/DQ pairs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._fresh = 0

    def array(self, name: str) -> Array | None:
        from onnx import numpy_helper

        tensor = self._stored.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def dtype(self, node: onnx.NodeProto) -> np.dtype[Any]:
        """What a pair quantizes to; without a zero point what is stored, else UINT8, as ONNX has it."""
        held = self.zero(node)
        if held is None and node.op_type == "DequantizeLinear":
            held = self.array(node.input[0])
        return np.dtype(np.uint8) if held is None else held.dtype

    def zero(self, node: onnx.NodeProto) -> Array | None:
        return self.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None

    def is_quantizer(self, node: onnx.NodeProto) -> bool:
        scale = self.array(node.input[1])
        return scale is not None and scale.ndim <= 1 and self.dtype(node) in _LIMITS

    def is_plain(self, node: onnx.NodeProto) -> bool:
        """True for a pair with one scale, of something that is no constant."""
        scale = self.array(node.input[1])
        return self.is_quantizer(node) and scale is not None and scale.size == 1 and node.input[0] not in self._stored

    def refit(self, node: onnx.NodeProto, scale: Array, zero: Array) -> None:
        """Give a QuantizeLinear and all that dequantize its output another scale and zero point."""
        old = self.array(node.input[1])
        assert old is not None  # noqa: S101 - `is_quantizer` has seen it
        readers = [item for item in self.graph.node if node.output[0] in item.input[:1]]
        dtype = self.dtype(node)
        names = (self.add(scale.reshape(old.shape).astype(old.dtype)), self.add(zero.reshape(old.shape).astype(dtype)))
        for item in (node, *(reader for reader in readers if reader.op_type == "DequantizeLinear")):
            item.input[1:] = names

    def add(self, values: Array) -> str:
        from onnx import numpy_helper

        self._fresh += 1
        name = f"refit/{self._fresh}"
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name


def scale_changes(before: onnx.ModelProto, after: onnx.ModelProto) -> dict[str, tuple[ScaleChange, ...]]:
    """For the first output of each node that reads Q/DQ pairs, their scales in two files that differ in scales only."""
    old, new = _Parts(before), _Parts(after)
    source = {node.output[0]: node.input[0] for node in before.graph.node if node.op_type == "QuantizeLinear"}
    pairs = {node.output[0]: node for node in before.graph.node if node.op_type == "DequantizeLinear"}
    twins = {node.output[0]: node for node in after.graph.node if node.op_type == "DequantizeLinear"}
    found: dict[str, tuple[ScaleChange, ...]] = {}
    for node in before.graph.node:
        changes = []
        for name in node.input:
            if name in pairs and name in twins:
                was, became = old.array(pairs[name].input[1]), new.array(twins[name].input[1])
                if was is not None and became is not None and was.size and became.size:
                    tensor = source.get(pairs[name].input[0], pairs[name].input[0])
                    changes.append(
                        ScaleChange(
                            tensor=tensor,
                            before=_middle(was),
                            after=_middle(became),
                            zero_before=_middle(old.zero(pairs[name])),
                            zero_after=_middle(new.zero(twins[name])),
                        )
                    )
        if changes and node.output:
            found[node.output[0]] = tuple(changes)
    return found


def _middle(values: Array | None) -> float:
    return 0.0 if values is None or not values.size else float(np.median(values))


def _of_weight(weight: Array, parts: _Parts, node: onnx.NodeProto) -> tuple[Array, Array]:
    low, high = _ends(weight, parts.array(node.input[1]), attribute(node, "axis", 1))
    return _fitting(low, high, parts.dtype(node))


def _ends(weight: Array, scale: Array | None, axis: int) -> tuple[Array, Array]:
    """The least and greatest value, of each channel where there is a scale for each."""
    per_channel = scale is not None and scale.size > 1
    others = tuple(item for item in range(weight.ndim) if not per_channel or item != axis % weight.ndim)
    return weight.min(axis=others).astype(np.float64), weight.max(axis=others).astype(np.float64)


def _fitting(low: Any, high: Any, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Scale and zero point of a range: symmetric in INT8, from end to end in UINT8; zero is always a step."""
    least, most = _LIMITS[dtype]
    if least < 0:
        scale = np.maximum(np.abs(low), np.abs(high)) / most
        zero = np.zeros_like(scale)
    else:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        scale = (high - low) / most
        zero = np.round(-low / np.where(scale > 0.0, scale, 1.0))
    return np.where(scale > 0.0, scale, 1.0), zero


def _refit_stored(parts: _Parts, baseline: onnx.ModelProto) -> None:
    """Weights that are stored in INT8: what a node of the baseline with the same output holds, quantized anew."""
    exact = _Parts(baseline)
    twins = {node.output[0]: node for node in baseline.graph.node if node.op_type in _WEIGHTED}
    pairs = {node.output[0]: node for node in parts.graph.node if node.op_type == "DequantizeLinear"}
    for node in parts.graph.node:
        other = twins.get(node.output[0])
        if other is None or other.op_type != node.op_type or node.input[1] not in pairs:
            continue
        pair = pairs[node.input[1]]
        held, weight = parts.array(pair.input[0]), exact.array(other.input[1])
        if held is None or weight is None or held.shape != weight.shape or not parts.is_quantizer(pair):
            continue
        scale, zero = _of_weight(weight, parts, pair)
        steps = _steps(weight, scale, zero, pair, parts.dtype(pair))
        parts.refit(pair, scale, zero)
        pair.input[0] = parts.add(steps)


def _steps(weight: Array, scale: Array, zero: Array, pair: onnx.NodeProto, dtype: np.dtype[Any]) -> Array:
    """The weight in steps of its format, rounded to even as QuantizeLinear does."""
    if scale.ndim:
        axis = attribute(pair, "axis", 1) % weight.ndim
        shape = [-1 if item == axis else 1 for item in range(weight.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    least, most = _LIMITS[dtype]
    return np.asarray(np.clip(np.round(weight / scale) + zero, least, most), dtype)
