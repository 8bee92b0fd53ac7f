"""Memory traffic, estimated from shapes alone."""

from __future__ import annotations

from math import prod

from trt_core.analysis.constants import constant_tensors
from trt_core.domain.engine import EngineTensor
from trt_core.domain.graph import Graph

# Bytes of one element, by the compiler's spelling of the dtype in lower case.
_ELEMENT_BYTES = {
    "float": 4.0, "float32": 4.0, "fp32": 4.0, "tf32": 4.0, "int32": 4.0, "half": 2.0, "float16": 2.0, "fp16": 2.0,
    "bfloat16": 2.0, "bf16": 2.0, "int8": 1.0, "uint8": 1.0, "bool": 1.0, "fp8": 1.0, "float8": 1.0, "fp8e4m3": 1.0,
    "fp8_e4m3": 1.0, "float8e4m3fn": 1.0, "int64": 8.0, "float64": 8.0, "double": 8.0, "int4": 0.5, "fp4": 0.5,
}  # fmt: skip


def engine_tensor_bytes(tensor: EngineTensor) -> int:
    """Bytes of an engine's tensor; 0 where its dtype is not known or a dimension is dynamic."""
    size = _ELEMENT_BYTES.get(tensor.dtype.lower(), 0.0)
    return int(prod(tensor.shape) * size) if all(dim >= 0 for dim in tensor.shape) else 0


def saved_bytes(variant: Graph, layers_of: dict[int, tuple[int, ...]]) -> int:
    """Estimate of the DRAM traffic that fusion avoids in one inference.

    Formula: two times the size (one write, one read) of every activation of the built file whose producer lies in one
    engine layer only, with every consumer in that layer too. Sizes are those of the file, with symbolic dimensions
    taken as 1. Constants do not count: they are folded, not fused. Nor do caches, padding and what a layer split over
    several kernels hands from one to the next.
    """
    outputs = {spec.name for spec in variant.outputs}
    constant = constant_tensors(variant)
    total = 0
    for name, producer in variant.producer_of.items():
        consumers = variant.consumers_of.get(name, ())
        if name in outputs or name in constant or not consumers or name not in variant.tensors:
            continue
        layers = layers_of.get(producer, ())
        if len(layers) == 1 and all(layers[0] in layers_of.get(index, ()) for index in consumers):
            total += 2 * (variant.tensors[name].size_bytes or 0)
    return total
