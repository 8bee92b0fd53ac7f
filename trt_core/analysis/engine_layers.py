"""The layers of an engine as rows: what each does, moves and takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from trt_core.analysis.traffic import engine_tensor_bytes
from trt_core.domain.engine import EngineLayer
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy, LayerFacts


class Role(Enum):
    """What a layer is there for."""

    MATRIX = "convolution or matrix"
    POINTWISE = "pointwise"
    POOLING = "pooling"
    NORMALIZATION = "softmax or normalization"
    BLOCK = "compiled block"
    QDQ = "Q/DQ"
    REFORMAT = "reformat or cast"
    SHAPE = "shape or copy"
    OTHER = "other"


_ROLES: tuple[tuple[Role, tuple[str, ...]], ...] = (
    (Role.REFORMAT, ("reformat", "cast", "move")),
    (Role.MATRIX, ("conv", "gemm", "correlation", "matrixmultiply", "fullyconnected", "deconv", "einsum", "mha")),
    (Role.POOLING, ("pool",)),
    (Role.NORMALIZATION, ("softmax", "norm", "reduce")),
    (Role.SHAPE, ("shuffle", "slice", "noop", "copy", "concat", "gather", "shape", "memset", "transpose", "resize")),
    (Role.POINTWISE, ("pointwise", "elementwise", "activation", "unary", "scale", "pwn")),
    (Role.BLOCK, ("myelin", "kgen", "runtime_fusion", "runtime_function", "foreign")),
)
_COPY = "Reformatting CopyNode"
_GENERATED = "__myl_"  # begins the name of a kernel that the compiler wrote; what follows lists its operations
_PRODUCTS = ("Fc", "Corr", "Gemm", "gemm", "Conv")


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One working layer. `moved_bytes` are read and written at the recorded shapes, weights with them; 0: not known.

    `share` is of the sum over all layers of a profiled run, which is more than the engine takes without a profiler.
    """

    position: int
    index: int
    name: str
    kind: str
    role: Role
    precision: Precision
    kernel: str
    tactic: str
    sources: tuple[str, ...]
    time_ms: float | None
    share: float | None
    moved_bytes: int
    weight_bytes: int
    macs: int | None
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers that share a label: how many, and how long they take together."""

    label: str
    count: int
    time_ms: float
    share: float


def layer_rows(study: EngineStudy) -> tuple[LayerRow, ...]:
    """The working layers of an engine, in execution order."""
    total = study.layers_ms
    facts = study.facts or tuple(LayerFacts(name=layer.name) for layer in study.record.layers)
    times = study.times_ms or (None,) * len(study.record.layers)
    rows = []
    for position, (layer, fact, time) in enumerate(zip(study.record.layers, facts, times, strict=True)):
        if layer.is_bookkeeping:
            continue
        rows.append(
            LayerRow(
                position=position,
                index=layer.index,
                name=layer.name,
                kind=layer.kind,
                role=role_of(layer, fact),
                precision=layer.precision,
                kernel=layer.kernel,
                tactic=fact.tactic or layer.kernel,
                sources=layer.source_names,
                time_ms=time,
                share=time / total if time is not None and total else None,
                moved_bytes=_moved(layer, fact),
                weight_bytes=fact.weight_bytes,
                macs=fact.macs,
                origin=fact.origin,
            )
        )
    return tuple(rows)


def role_of(layer: EngineLayer, fact: LayerFacts) -> Role:
    """What a layer is there for, by the builder's own words: origin first, then LayerType, then its name."""
    if fact.origin.upper() == "QDQ" or layer.kind.lower() in ("quantize", "dequantize"):
        return Role.QDQ
    if layer.name.startswith(_COPY) or fact.origin.upper() in ("REFORMAT", "CAST"):
        return Role.REFORMAT
    for text in (layer.kind.lower(), layer.name.lower()):
        for role, words in _ROLES:
            if any(word in text for word in words):
                return role
        if text:
            break
    return Role.OTHER


def has_matrix_work(row: LayerRow) -> bool:
    """A convolution, a matrix product, or a compiled block that may hold one.

    A generated kernel's name lists its operations: `__myl_MulAddReshTran` only follows a product that another layer
    computes, so that no precision of its own can be asked of it.
    """
    if row.role is Role.BLOCK and row.kind.lower() == "kgen" and row.name.startswith(_GENERATED):
        return any(word in row.name for word in _PRODUCTS)
    return row.role in (Role.MATRIX, Role.BLOCK)


def _moved(layer: EngineLayer, fact: LayerFacts) -> int:
    if layer.kind.lower() == "noop":
        return 0
    constants = fact.weight_bytes or sum(map(engine_tensor_bytes, layer.constants))
    return sum(map(engine_tensor_bytes, (*layer.inputs, *layer.outputs))) + constants


def grouped(rows: Sequence[LayerRow], label: Callable[[LayerRow], str]) -> tuple[Group, ...]:
    """Time by label, the longest first."""
    counts: dict[str, int] = {}
    times: dict[str, float] = {}
    for row in rows:
        counts[label(row)] = counts.get(label(row), 0) + 1
        times[label(row)] = times.get(label(row), 0.0) + (row.time_ms or 0.0)
    total = sum(times.values()) or 1.0
    found = [Group(label=name, count=counts[name], time_ms=time, share=time / total) for name, time in times.items()]
    return tuple(sorted(found, key=lambda item: (-item.time_ms, -item.count)))


@dataclass(frozen=True, kw_only=True)
class Transition:
    """Tensors that one precision hands to another: `tensors` of them, `moved_bytes` in all."""

    writes: Precision
    reads: Precision
    tensors: int
    moved_bytes: int


def transitions(study: EngineStudy) -> tuple[Transition, ...]:
    """The precision-transition matrix: every tensor from the layer that writes it to every layer that reads it."""
    writers = {tensor.name: layer for layer in study.record.working_layers for tensor in layer.outputs}
    found: dict[tuple[Precision, Precision], list[int]] = {}
    for layer in study.record.working_layers:
        for tensor in layer.inputs:
            writer = writers.get(tensor.name)
            if writer is not None:
                found.setdefault((writer.precision, layer.precision), []).append(engine_tensor_bytes(tensor))
    return tuple(
        Transition(writes=key[0], reads=key[1], tensors=len(sizes), moved_bytes=sum(sizes))
        for key, sizes in sorted(found.items(), key=lambda item: -len(item[1]))
    )
