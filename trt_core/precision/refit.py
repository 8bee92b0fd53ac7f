"""A quantized file with its scales taken anew: tells a scale that does not fit from a format that does not suffice."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trt_core.domain.divergence import ScaleChange
from trt_core.precision.attributes import attribute

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]
_LIMITS = {np.dtype(np.int8): (-127, 127), np.dtype(np.uint8): (0, 255)}
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def scaled_activations(model: onnx.ModelProto, known: Iterable[str]) -> tuple[str, ...]:
    """Tensors out of `known` that one INT8 or UINT8 scale of the file quantizes: their ranges are to be measured."""
    parts, names = _Parts(model), set(known)
    found = (parts.quantized(node, names) for node in parts.first.values() if parts.is_plain(node))
    return tuple(dict.fromkeys(name for name in found if name in names))


def refitted(
    model: onnx.ModelProto, baseline: onnx.ModelProto, extremes: Mapping[str, tuple[float, float]]
) -> onnx.ModelProto:
    """The file with scales and zero points of its Q/DQ pairs as its own tensors ask for: MinMax, of INT8 or UINT8.

    An activation's is taken from its `extremes`, the least and greatest value; a weight's from the weight: per channel
    where the file's is. Weights that the file holds in INT8 already are quantized again from those of `baseline`, where
    a node of that output has a weight of the same shape there. What cannot be refitted stays as it is.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    parts = _Parts(made)
    is_shifted = parts.shifts_int8()
    for node in parts.first.values():
        if parts.is_quantizer(node):
            held = parts.array(node.input[0])
            if held is not None and held.size:
                parts.refit(node, *_of_weight(held, parts, node))
            elif (name := parts.quantized(node, extremes)) in extremes and parts.is_plain(node):
                low, high = map(np.float64, extremes[name])
                parts.refit(node, *_fitting(low, high, parts.dtype(node), is_shifted=is_shifted))
    _refit_stored(parts, baseline)
    return made


class _Parts:
    """The constants of a model, and its Q/DQ pairs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnx

        self.graph = model.graph
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:  # PyTorch writes scales as Constant nodes, and equal ones by Identity
            if node.op_type == "Constant" and isinstance(value := attribute(node, "value", None), onnx.TensorProto):
                self._stored[node.output[0]] = value
            elif node.op_type == "Identity" and node.input[0] in self._stored:
                self._stored[node.output[0]] = self._stored[node.input[0]]
        self._fresh = 0
        self.first = {node.output[0]: node for node in self.graph.node if node.op_type == "QuantizeLinear"}
        self.second = {node.output[0]: node for node in self.graph.node if node.op_type == "DequantizeLinear"}
        self._back: dict[str, list[onnx.NodeProto]] = {}
        for node in self.second.values():
            self._back.setdefault(node.input[0], []).append(node)

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

    def quantized(self, node: onnx.NodeProto, known: Container[str]) -> str:
        """What a QuantizeLinear reads; where only what comes back has a known name, that: at outputs tools rename."""
        back = (item.output[0] for item in self._back.get(node.output[0], ()))
        return node.input[0] if node.input[0] in known else next((name for name in back if name in known), "")

    def scale(self, node: onnx.NodeProto) -> float | None:
        """Its scale, the middle one of several."""
        held = self.array(node.input[1])
        return None if held is None or not held.size else _middle(held)

    def shifts_int8(self) -> bool:
        """True where most activations in INT8 have a zero point: such a file spends all 256 steps from end to end."""
        plain = [node for node in self.first.values() if self.is_plain(node)]
        zeros = [self.zero(node) for node in plain if self.dtype(node) == np.int8]
        return 2 * sum(zero is not None and bool(zero.any()) for zero in zeros) > len(zeros)

    def refit(self, node: onnx.NodeProto, scale: Array, zero: Array) -> tuple[Array, Array] | None:
        """Give a QuantizeLinear and all that dequantize its output another scale and zero point; they are returned.

        Where a scale is 0, for want of values, the file's own stays. None where the file has another number of scales.
        """
        old = self.array(node.input[1])
        if old is None or old.size != scale.size:
            return None
        scale, zero, dtype = scale.reshape(old.shape), zero.reshape(old.shape), self.dtype(node)
        if not scale.all():
            own = self.zero(node)
            zero = np.where(scale > 0.0, zero, 0 if own is None or own.size != old.size else own.reshape(old.shape))
            scale = np.where(scale > 0.0, scale, np.where(old > 0.0, old, 1.0))
        fitting = scale.astype(old.dtype), zero.astype(dtype)
        names = [self.add(item) for item in fitting]
        for item in (node, *self._back.get(node.output[0], ())):
            item.input[1:] = names
        return fitting

    def add(self, values: Array) -> str:
        from onnx import numpy_helper

        self._fresh += 1
        name = f"refit/{self._fresh}"
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name


def scale_changes(before: onnx.ModelProto, after: onnx.ModelProto) -> dict[str, tuple[ScaleChange, ...]]:
    """The scales of Q/DQ pairs in two files that differ in scales only.

    By the first output of each node that reads pairs, and by what each pair gives.
    """
    old, new = _Parts(before), _Parts(after)
    found: dict[str, tuple[ScaleChange, ...]] = {}
    for node in before.graph.node:
        names = (*node.input, *node.output[:1])
        changes = [_change(name, old, new) for name in names if name in old.second and name in new.second]
        told = tuple(item for item in changes if item is not None)
        if told and node.output:
            found[node.output[0]] = told
    return found


def _change(name: str, old: _Parts, new: _Parts) -> ScaleChange | None:
    """Of a pair whose two scales differ in the file, the one that is further away from what fits."""
    last, twin = old.second[name], new.second[name]
    first = old.first.get(last.input[0])
    was = [(old.scale(node), node) for node in (last, first) if node is not None]
    known = [(scale, node) for scale, node in was if scale is not None]
    became = new.scale(twin)
    if not known or became is None:
        return None
    before, node = max(known, key=lambda pair: abs(math.log(pair[0] / became)) if pair[0] * became > 0.0 else math.inf)
    return ScaleChange(
        tensor=first.input[0] if first is not None else last.input[0],
        before=before,
        after=became,
        zero_before=_middle(old.zero(node)),
        zero_after=_middle(new.zero(twin)),
    )


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


def _fitting(low: Any, high: Any, dtype: np.dtype[Any], *, is_shifted: bool = False) -> tuple[Array, Array]:
    """Scale and zero point of a range, 0 and 0 of one without extent; zero is always a step.

    INT8 is symmetric unless it is shifted; then, and in UINT8, the steps go from end to end.
    """
    if dtype == np.int8 and not is_shifted:
        scale = np.maximum(np.abs(low), np.abs(high)) / 127
        return np.asarray(scale), np.zeros_like(scale)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    scale = np.asarray((high - low) / 255)
    return scale, np.iinfo(dtype).min - np.round(low / np.where(scale > 0.0, scale, 1.0))


def _refit_stored(parts: _Parts, baseline: onnx.ModelProto) -> None:
    """Weights that are stored in INT8: what a node of the baseline with the same output holds, quantized anew."""
    exact = _Parts(baseline)
    twins = {node.output[0]: node for node in baseline.graph.node if node.op_type in _WEIGHTED}
    for node in parts.graph.node:
        other = twins.get(node.output[0])
        if other is None or other.op_type != node.op_type or len(node.input) < 2 or node.input[1] not in parts.second:
            continue
        if attribute(other, "transB", 0) != attribute(node, "transB", 0):
            continue  # a square weight that was transposed has the same shape, and other values in every place
        pair = parts.second[node.input[1]]
        held, weight = parts.array(pair.input[0]), exact.array(other.input[1])
        if held is None or weight is None or held.shape != weight.shape or not parts.is_quantizer(pair):
            continue
        fitting = parts.refit(pair, *_of_weight(weight, parts, pair)) if weight.size else None
        if fitting is not None:
            pair.input[0] = parts.add(_steps(weight, *fitting, pair))


def _steps(weight: Array, scale: Array, zero: Array, pair: onnx.NodeProto) -> Array:
    """The weight in steps of its format, rounded to even as QuantizeLinear does."""
    if scale.ndim:
        axis = attribute(pair, "axis", 1) % weight.ndim
        shape = [-1 if item == axis else 1 for item in range(weight.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    least, most = _LIMITS[zero.dtype]
    return np.asarray(np.clip(np.round(weight / scale) + zero, least, most), zero.dtype)
