"""Fold BatchNormalization into the convolution or GEMM before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trt_core.domain.precision import RemovedNode
from trt_core.precision.attributes import attribute, drop_attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.weights import Array, Weight, made

if TYPE_CHECKING:
    import onnx

STEP = "batchnorm folding"
_FOLDABLE = frozenset({"Conv", "ConvTranspose", "Gemm"})


def fold_batchnorm(draft: Draft) -> None:
    """Replace `BatchNormalization(Conv(x))` by one Conv, likewise for ConvTranspose and Gemm.

    With `a = scale / sqrt(var + epsilon)`, per output channel: `W' = a * W` and `b' = a * (b - mean) + B`. This is
    exact algebra; the only change is one rounding of each new weight. `a` and `b'` are computed in double precision.
    A fold needs constant parameters and a convolution output that nothing else reads. Shared weights are copied.
    """
    counts, producers, pinned = draft.use_counts(), draft.producers(), draft.pinned_names()
    folded: set[int] = set()
    for node in draft.nodes:
        before = producers.get(node.proto.input[0]) if _is_inference_batchnorm(node) else None
        if before is None or not before.is_standard or before.proto.op_type not in _FOLDABLE:
            continue
        middle = before.proto.output[0]
        if counts[middle] != 1 or middle in pinned:
            continue
        affine = _affine(draft, node)
        if affine is None or not _apply(draft, before, *affine, counts[before.proto.input[1]] > 1):
            continue
        before.proto.output[0] = node.proto.output[0]
        producers[node.proto.output[0]] = before
        draft.removed.extend(RemovedNode(index=index, by=STEP, into=before.sources[0]) for index in node.sources)
        folded.add(id(node))
    draft.nodes = [node for node in draft.nodes if id(node) not in folded]


def _is_inference_batchnorm(node: DraftNode) -> bool:
    proto = node.proto
    return (
        proto.op_type == "BatchNormalization"
        and node.is_standard
        and not attribute(proto, "training_mode", 0)
        and attribute(proto, "spatial", 1) == 1
        and not any(proto.output[1:])
    )


def _affine(draft: Draft, node: DraftNode) -> tuple[Array, Array] | None:
    """Factor and offset of each channel, in double precision; None when they are not constant."""
    weights = [draft.weights.get(name) for name in node.proto.input[1:5]]
    scale, shift, mean, variance = (None if w is None else w.load().astype(np.float64) for w in weights)
    if scale is None or shift is None or mean is None or variance is None:
        return None
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + attribute(node.proto, "epsilon", 1e-5))
        offset = shift - mean * factor
    return (factor, offset) if np.isfinite(factor).all() and np.isfinite(offset).all() else None


def _apply(draft: Draft, node: DraftNode, factor: Array, offset: Array, shared: bool) -> bool:
    """Scale the weights of a node and set its bias; False when they do not allow it."""
    proto = node.proto
    weight = draft.weights.get(proto.input[1])
    bias_name = proto.input[2] if len(proto.input) > 2 else ""
    bias = draft.weights.get(bias_name) if bias_name else None
    if weight is None or (bias_name and bias is None) or weight.elem_type not in (1, 10, 11):
        return False
    shape = _channel_shape(proto, weight.dims, factor.size)
    new_bias = _bias(proto, bias, factor, offset)
    if shape is None or new_bias is None:
        return False
    name = draft.fresh(f"{proto.input[1]}_folded") if shared else proto.input[1]
    draft.weights[name] = _scaled(weight, factor, shape)
    proto.input[1] = name
    # The bias gets a name of its own: two convolutions may share one.
    bias_name = draft.fresh(f"{name}_bias")
    draft.weights[bias_name] = made(new_bias.astype(weight_dtype(weight)), weight.elem_type)
    del proto.input[2:]
    proto.input.append(bias_name)
    drop_attribute(proto, "beta")
    return True


def weight_dtype(weight: Weight) -> Any:
    """NumPy dtype of a FLOAT, FLOAT16 or DOUBLE weight."""
    return {1: np.float32, 10: np.float16, 11: np.float64}[weight.elem_type]


def _channel_shape(
    proto: onnx.NodeProto, dims: tuple[int, ...], channels: int
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Shapes that weights and factors are brought to, so that one multiplies the other's output channels."""
    if proto.op_type == "Conv" and dims[0] == channels:
        return dims, (channels, *(1,) * (len(dims) - 1))
    if proto.op_type == "ConvTranspose":
        groups = attribute(proto, "group", 1)
        if dims[0] % groups == 0 and dims[1] * groups == channels:  # weights are [in, out / groups, ...]
            return (groups, dims[0] // groups, *dims[1:]), (groups, 1, dims[1], *(1,) * (len(dims) - 2))
    if proto.op_type == "Gemm":
        transposed = attribute(proto, "transB", 0)
        if dims[0 if transposed else 1] == channels:
            return dims, (channels, 1) if transposed else (1, channels)
    return None


def _scaled(weight: Weight, factor: Array, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Weight:
    inner, outer = shapes
    dtype = weight_dtype(weight)
    wide = np.float32 if dtype == np.float16 else dtype
    scale = factor.astype(wide).reshape(outer)

    def load() -> Array:
        scaled = weight.load().reshape(inner) * scale
        return scaled.reshape(weight.dims).astype(dtype, copy=False)

    return Weight(elem_type=weight.elem_type, dims=weight.dims, load=load)


def _bias(proto: onnx.NodeProto, bias: Weight | None, factor: Array, offset: Array) -> Array | None:
    if bias is None:
        return offset
    values = bias.load().astype(np.float64)
    if proto.op_type == "Gemm":
        values = values * attribute(proto, "beta", 1.0)
        if values.size not in (1, factor.size) or (values.size == factor.size and values.shape[-1:] != (factor.size,)):
            return None  # a bias for each row
    return np.asarray(values.reshape(-1) * factor + offset)
