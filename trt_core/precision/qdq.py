"""Insert Q/DQ pairs.

Written here rather than taken from ONNX Runtime's `quantize_static`, for three reasons: its calibration keeps every
sample's activations in memory, where ours streams; it names nodes so that they cannot be led back to the file's; and
its rules (which MatMul, which residual, INT32 biases that TensorRT's parser refuses) need working around one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trt_core.domain.precision import Precision, TensorRange
from trt_core.precision.attributes import attribute, drop_attribute, set_attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.formats import ELEM_TYPES, FLOAT, INT4, LARGEST, symmetric_scale
from trt_core.precision.inference import TensorTypes
from trt_core.precision.names import safe_name
from trt_core.precision.targets import QuantizationPlan, Target
from trt_core.precision.weights import Array, Weight, made

if TYPE_CHECKING:
    import onnx


class QdqWriter:
    """Puts Q/DQ pairs of one precision into a draft; scales are representable in `rest`, the graph's floating type."""

    def __init__(self, draft: Draft, types: TensorTypes, precision: Precision, rest: int) -> None:
        self.draft, self.types, self.precision, self.rest = draft, types, precision, rest
        self.elem_type = ELEM_TYPES[precision]
        self.before: dict[int, list[DraftNode]] = {}  # new nodes, by the id of the node that they stand before
        self.pairs: dict[str, tuple[str, list[DraftNode]]] = {}
        self.fp32_nodes: set[int] = set()  # ids of nodes that stay FP32 whatever the rest is

    def write(self, plan: QuantizationPlan, ranges: Mapping[str, TensorRange]) -> None:
        """Insert the pairs of a plan; every activation of the plan must have a range, INT4 needs none."""
        order = {id(node): position for position, node in enumerate(self.draft.nodes)}
        weight_only = self.precision is Precision.INT4
        readers = [] if weight_only else [(target.node, target.activation) for target in plan.targets]
        readers += [(node, name) for node in plan.products for name in dict.fromkeys(node.proto.input)]
        for node, tensor in sorted((*readers, *plan.skips), key=lambda item: order[id(item[0])]):
            self._quantize_activation(node, tensor, ranges[tensor])
        for target in plan.targets:
            if weight_only:
                self._quantize_blocks(target)
            else:
                self._quantize_weight(target)
        self.draft.nodes = [new for node in self.draft.nodes for new in (*self.before.get(id(node), ()), node)]

    def _quantize_activation(self, reader: DraftNode, tensor: str, chosen: TensorRange) -> None:
        """Per tensor and symmetric; one pair serves every reader that is quantized."""
        if tensor not in self.pairs:
            amax = max(abs(chosen.low), abs(chosen.high))
            scale = self._constant(f"{tensor}_scale", symmetric_scale(amax, self.precision, self.rest), FLOAT)
            zero = self._zeros(tensor, ())
            self.pairs[tensor] = self._pair(reader, tensor, scale, zero, None)
        dequantized, nodes = self.pairs[tensor]
        for node in nodes:
            node.sources = tuple(dict.fromkeys(node.sources + reader.sources))
        for position, name in enumerate(reader.proto.input):
            if name == tensor:
                reader.proto.input[position] = dequantized

    def _quantize_weight(self, target: Target) -> None:
        """INT8: per output channel; FP8: per tensor. FP32 weights, Q, DQ: the form that every TensorRT parser takes.

        Q reads the FP32 values, so a weight is rounded once; DQ gives the graph's floating type.
        """
        name, draft = target.weight, self.draft
        if name in self.pairs:
            self._reuse(target)
            return
        weight = draft.weights[name]
        axis = target.channel_axis if self.precision is Precision.INT8 else None
        dims = () if axis is None else (weight.dims[axis],)
        others = tuple(position for position in range(len(weight.dims)) if position != axis)

        def scales() -> Array:
            return symmetric_scale(np.abs(weight.load()).max(axis=others), self.precision, self.rest)

        scale = draft.fresh(f"{name}_scale")
        draft.weights[scale] = Weight(elem_type=FLOAT, dims=dims, load=scales)
        self.types.elem_types[scale] = FLOAT
        dequantized, nodes = self._pair(target.node, name, scale, self._zeros(name, dims), axis)
        self.fp32_nodes.add(id(nodes[0]))
        self.pairs[name] = dequantized, nodes
        target.node.proto.input[1] = dequantized
        _state_kernel_shape(target.node.proto, weight.dims)

    def _reuse(self, target: Target) -> None:
        dequantized, nodes = self.pairs[target.weight]
        for node in nodes:
            node.sources = tuple(dict.fromkeys(node.sources + target.node.sources))
        target.node.proto.input[1] = dequantized

    def _quantize_blocks(self, target: Target) -> None:
        """INT4 weights in blocks along K with a scale each, and a DQ; weights come to [K, N] first."""
        name, draft = target.weight, self.draft
        if name in self.pairs:
            self._reuse(target)
        else:
            weight, transposed = draft.weights[name], target.channel_axis == 0
            k, n = weight.dims[::-1] if transposed else weight.dims
            blocks = (k // target.block, n)

            def values() -> Array:
                loaded = weight.load()
                return (loaded.T if transposed else loaded).reshape(blocks[0], target.block, n)

            def scales() -> Array:
                return symmetric_scale(np.abs(values()).max(axis=1), self.precision, self.rest)

            quantized = draft.fresh(f"{name}_quantized")
            draft.weights[quantized] = Weight(
                elem_type=INT4, dims=(k, n), load=lambda: _packed_int4(values() / scales()[:, None, :])
            )
            scale = draft.fresh(f"{name}_scale")
            draft.weights[scale] = Weight(elem_type=FLOAT, dims=blocks, load=scales)
            self.types.elem_types.update({scale: FLOAT, quantized: INT4})
            zero = self._zeros(name, blocks)
            attributes = {"axis": 0, "block_size": target.block}
            dequantize = self._node(target.node, "DequantizeLinear", name, [quantized, scale, zero], attributes)
            self.pairs[name] = dequantize.proto.output[0], [dequantize]
            target.node.proto.input[1] = dequantize.proto.output[0]
        drop_attribute(target.node.proto, "transB")

    def _pair(
        self, reader: DraftNode, tensor: str, scale: str, zero: str, axis: int | None
    ) -> tuple[str, list[DraftNode]]:
        attributes = {} if axis is None else {"axis": axis}
        quantize = self._node(reader, "QuantizeLinear", tensor, [tensor, scale, zero], attributes)
        quantized = quantize.proto.output[0]
        dequantize = self._node(reader, "DequantizeLinear", tensor, [quantized, scale, zero], attributes)
        return dequantize.proto.output[0], [quantize, dequantize]

    def _node(
        self, reader: DraftNode, op_type: str, tensor: str, inputs: list[str], attributes: dict[str, int]
    ) -> DraftNode:
        from onnx import helper

        ending, elem_type = ("quantized", self.elem_type) if op_type[0] == "Q" else ("dequantized", FLOAT)
        output = self.draft.fresh(f"{tensor}_{ending}")
        name = self.draft.fresh(safe_name(f"{tensor}_{op_type}"))
        node = DraftNode(
            proto=helper.make_node(op_type, inputs, [output], name=name, **attributes),
            sources=reader.sources,
            inserted=True,
        )
        self.types.elem_types[output] = elem_type
        self.before.setdefault(id(reader), []).append(node)
        return node

    def _zeros(self, tensor: str, dims: tuple[int, ...]) -> str:
        """Zero points, always given: TensorRT 8.6 needs the third input."""
        size = int(np.prod(dims, dtype=np.int64))
        values = np.zeros((size + 1) // 2 if self.elem_type == INT4 else size, np.uint8)
        name = self.draft.fresh(f"{tensor}_zero_point")
        self.draft.weights[name] = made(values, self.elem_type, dims)
        self.types.elem_types[name] = self.elem_type
        return name

    def _constant(self, base: str, values: Array, elem_type: int) -> str:
        name = self.draft.fresh(base)
        self.draft.weights[name] = made(values, elem_type)
        self.types.elem_types[name] = elem_type
        return name


def _state_kernel_shape(node: onnx.NodeProto, dims: tuple[int, ...]) -> None:
    """TensorRT 8.6 reads a convolution's kernel size from its weights, or, where Q/DQ stand before them, from here."""
    if node.op_type in ("Conv", "ConvTranspose") and attribute(node, "kernel_shape", None) is None:
        set_attribute(node, "kernel_shape", list(dims[2:]))


def _packed_int4(scaled: Array) -> Array:
    """Round to nearest even, clip to ±7, two values to a byte, the first in the low half."""
    limit = LARGEST[Precision.INT4]
    flat = np.clip(np.rint(scaled), -limit, limit).astype(np.int8).reshape(-1).view(np.uint8) & 0xF
    if flat.size % 2:
        flat = np.append(flat, np.uint8(0))
    return np.asarray(flat[0::2] | (flat[1::2] << 4), np.uint8)
