"""The numerics twin: what a variant computes, for ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trt_core.domain.precision import Precision, Recipe
from trt_core.precision.attributes import attribute, set_attribute
from trt_core.precision.draft import Draft, DraftNode, read_draft
from trt_core.precision.formats import ELEM_NAMES, FLOAT, FLOAT8E4M3FN, INT4, LOW_FLOATS, to_elem_type
from trt_core.precision.inference import infer_types
from trt_core.precision.names import safe_name
from trt_core.precision.weights import Array, Weight, made

if TYPE_CHECKING:
    import onnx

# Outputs of these are values that went in: rounding them again changes nothing.
_VALUE_KEEPING = frozenset(
    {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Slice", "Gather"}
    | {"GatherND", "GatherElements", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "MaxPool", "GlobalMaxPool"}
    | {"Relu", "Neg", "Abs", "Max", "Min", "ReduceMax", "ReduceMin", "Where", "Constant", "ConstantOfShape"}
)


def make_twin(variant_model: onnx.ModelProto, recipe: Recipe) -> onnx.ModelProto:
    """The variant as an FP32 graph in which every low-precision value is rounded explicitly.

    ONNX Runtime's CPU kernels run FP16 operators in FP32 and drop the rounding between them; BF16 hardly runs at all.
    Here FP16 and BF16 initializers are widened after rounding, and each output of a low-precision node goes through a
    Cast to its format and back. Arithmetic inside a node is FP32, like tensor cores that accumulate in FP32. INT8 pairs
    stand as they are; FP8 pairs become Casts, because ONNX Runtime's optimizer moves FP8 tensors into operators without
    an FP8 type; INT4 weights are dequantized. Inputs, outputs and every surviving tensor keep their names: the original
    name holds the value after rounding. An engine rounds less often, where nodes share a kernel.
    """
    if recipe.precision in (Precision.FP32, Precision.TF32) and not recipe.keep:
        return variant_model
    draft = read_draft(variant_model)
    _Twin(draft).run()
    return draft.emit()


def twin_draft(variant: Draft) -> Draft:
    """The numerics twin of a variant that is still a draft, as a draft: no weight is copied yet."""
    draft = variant.copy()
    _Twin(draft).run()
    return draft


class _Twin:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        elem_types = infer_types(draft).elem_types
        self.low = {name: elem_type for name, elem_type in elem_types.items() if elem_type in LOW_FLOATS}
        self.pinned = draft.pinned_names() | {value.name for value in draft.inputs}
        self.wide: dict[str, str] = {}  # FP32 name of a tensor whose own name must stay FP16 or BF16
        self.nodes: list[DraftNode] = []

    def run(self) -> None:
        for name in [name for name in self.low if name in self.draft.weights and name not in self.pinned]:
            self.draft.weights[name] = _widened(self.draft.weights[name])
        for value in self.draft.inputs:
            if value.name in self.low:
                self._cast(value.name, self._wide_name(value.name), FLOAT)
        for node in self.draft.nodes:
            self._rewrite(node)
        self.draft.nodes = self.nodes
        self.draft.value_info = {n: info for n, info in self.draft.value_info.items() if n not in self.low}

    def _rewrite(self, node: DraftNode) -> None:
        proto = node.proto
        if self._dequantizes_int4(proto):
            self.draft.weights[proto.output[0]] = _dequantized_int4(self.draft, proto)
            return
        for position, name in enumerate(proto.input):
            proto.input[position] = self.wide.get(name, name)
        if self._is_fp8_pair(proto):
            self._cast_fp8(node)
            return
        lowered = [(position, name) for position, name in enumerate(proto.output) if name in self.low]
        rounds = proto.op_type not in _VALUE_KEEPING
        if lowered:
            _widen_attributes(proto)
        self.nodes.append(node)
        for position, name in lowered:
            if rounds or name in self.pinned:
                proto.output[position] = self.draft.fresh(f"{name}_unrounded")
                self._round(proto.output[position], name)

    def _round(self, exact: str, name: str) -> None:
        """Cast to the format and back; a name that must keep its dtype gets the value between the casts."""
        elem_type = self.low[name]
        if name in self.pinned:
            self._cast(exact, name, elem_type)
            self._cast(name, self._wide_name(name), FLOAT)
            return
        rounded = self.draft.fresh(f"{name}_{ELEM_NAMES[elem_type]}")
        self._cast(exact, rounded, elem_type)
        self._cast(rounded, name, FLOAT)

    def _wide_name(self, name: str) -> str:
        return self.wide.setdefault(name, self.draft.fresh(f"{name}_{ELEM_NAMES[FLOAT]}"))

    def _cast(self, source: str, target: str, elem_type: int) -> None:
        from onnx import helper

        name = self.draft.fresh(safe_name(f"{target}_Cast"))
        proto = helper.make_node("Cast", [source], [target], name=name, to=elem_type)
        self.nodes.append(DraftNode(proto=proto, sources=(), inserted=True))

    def _is_fp8_pair(self, proto: onnx.NodeProto) -> bool:
        zero = self.draft.weights.get(proto.input[2]) if len(proto.input) > 2 else None
        return (
            proto.op_type in ("QuantizeLinear", "DequantizeLinear")
            and zero is not None
            and zero.elem_type == FLOAT8E4M3FN
        )

    def _cast_fp8(self, node: DraftNode) -> None:
        """Q is Cast(x / scale), which saturates at 448; DQ is Cast(q) * scale, rounded to the graph's format."""
        from onnx import helper

        source, scale = node.proto.input[:2]
        (target,) = node.proto.output
        quantizes = node.proto.op_type == "QuantizeLinear"
        middle = self.draft.fresh(f"{target}_{'scaled' if quantizes else 'unscaled'}")
        if quantizes:
            node.proto.CopyFrom(helper.make_node("Div", [source, scale], [middle], name=node.proto.name))
            self.nodes.append(node)
            self._cast(middle, target, FLOAT8E4M3FN)
            return
        self._cast(source, middle, FLOAT)
        exact = self.draft.fresh(f"{target}_unrounded") if target in self.low else target
        node.proto.CopyFrom(helper.make_node("Mul", [middle, scale], [exact], name=node.proto.name))
        self.nodes.append(node)
        if exact != target:
            self._round(exact, target)

    def _dequantizes_int4(self, proto: onnx.NodeProto) -> bool:
        weight = self.draft.weights.get(proto.input[0]) if proto.op_type == "DequantizeLinear" else None
        return weight is not None and weight.elem_type == INT4


def _widened(weight: Weight) -> Weight:
    return Weight(elem_type=FLOAT, dims=weight.dims, load=lambda: weight.load().astype(np.float32))


def _widen_attributes(proto: onnx.NodeProto) -> None:
    """Operators that state their output's element type state FLOAT; the Cast pair after them does the rounding."""
    import onnx
    from onnx import numpy_helper

    if proto.op_type == "Cast":
        set_attribute(proto, "to", FLOAT)
    elif proto.op_type in ("Constant", "ConstantOfShape"):
        value = attribute(proto, "value", None)
        if value is not None and value.data_type in LOW_FLOATS:
            tensor = onnx.TensorProto()
            made(numpy_helper.to_array(value).astype(np.float32), FLOAT).write(tensor, "value")
            set_attribute(proto, "value", tensor)


def _dequantized_int4(draft: Draft, proto: onnx.NodeProto) -> Weight:
    """INT4 weights as the values that the DQ node gives, rounded to the dtype of its scales."""
    weight, scale = draft.weights[proto.input[0]], draft.weights[proto.input[1]]
    scale_type = getattr(scale.proto, "data_type", scale.elem_type)
    axis, block = attribute(proto, "axis", 1), attribute(proto, "block_size", 0)

    def load() -> Array:
        scales = scale.load().astype(np.float32)
        if block:
            scales = np.repeat(scales, block, axis=axis)
        elif scales.ndim == 1 and scales.size > 1:
            scales = scales.reshape([-1 if position == axis else 1 for position in range(len(weight.dims))])
        values = weight.load() if weight.proto is not None else _unpacked_int4(weight)
        return to_elem_type(values.astype(np.float32) * scales, scale_type).astype(np.float32)

    return Weight(elem_type=FLOAT, dims=weight.dims, load=load)


def _unpacked_int4(weight: Weight) -> Array:
    """The values of a weight of a draft, which holds two to a byte, the first in the low half."""
    packed = weight.load().view(np.int8)
    pairs = np.stack([np.left_shift(packed, 4) >> 4, packed >> 4], axis=-1)
    return pairs.reshape(-1)[: weight.size].reshape(weight.dims)
