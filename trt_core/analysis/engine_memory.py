"""Device memory of an engine: weights, activations, and which tensors can share a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trt_core.analysis.traffic import engine_tensor_bytes
from trt_core.domain.engine import EngineRecord, EngineTensor
from trt_core.domain.recordings import EngineStudy

_CHANNELS = re.compile(r"channel % (?P<width>\d+)")
_WIDE = {"two": 2, "four": 4, "eight": 8, "sixteen": 16, "thirty-two": 32}
_ALIGNMENT = 512


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """One activation: written at step `first`, read last at step `last`, and where it would lie if placed greedily."""

    name: str
    size_bytes: int
    first: int
    last: int
    offset: int
    dtype: str = ""


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """The activations of an engine over its execution order; steps count working layers.

    `peak_bytes` is the most that is alive at one step: no placement needs less. `placed_bytes` is what the greedy
    placement needs, `total_bytes` what it would be without any sharing. `weight_bytes` covers the layers' own weights.
    """

    lifetimes: tuple[Lifetime, ...]
    live_bytes: tuple[int, ...]
    peak_bytes: int
    placed_bytes: int
    total_bytes: int
    weight_bytes: int
    border_bytes: int

    @property
    def peak_step(self) -> int:
        """The step at which most is alive."""
        return max(range(len(self.live_bytes)), key=self.live_bytes.__getitem__, default=0)


def memory_map(study: EngineStudy) -> MemoryMap:
    """Lifetimes from the layers' order and the tensors at their borders, with the padding of vectorized formats.

    An estimate: the engine's inputs and outputs are the caller's memory and stay out, and what a layer uses inside
    (workspace, the inside of a compiled block) is not in the record.
    """
    layers = study.record.working_layers
    border = {tensor.name for tensor in study.record.io_tensors}
    spans: dict[str, list[int]] = {}
    tensors: dict[str, EngineTensor] = {}
    for step, layer in enumerate(layers):
        for tensor in layer.outputs:
            spans.setdefault(tensor.name, [step, step])
            tensors.setdefault(tensor.name, tensor)
        for tensor in layer.inputs:
            if tensor.name in spans:
                spans[tensor.name][1] = step
    inner = [name for name in spans if name not in border]
    items = [(name, padded_bytes(tensors[name]), spans[name][0], spans[name][1]) for name in inner]
    lifetimes = _placed(items, {name: tensors[name].dtype for name in inner})
    live = [0] * len(layers)
    for item in lifetimes:
        for step in range(item.first, item.last + 1):
            live[step] += item.size_bytes
    return MemoryMap(
        lifetimes=lifetimes,
        live_bytes=tuple(live),
        peak_bytes=max(live, default=0),
        placed_bytes=max((item.offset + item.size_bytes for item in lifetimes), default=0),
        total_bytes=sum(item.size_bytes for item in lifetimes),
        weight_bytes=study.record.weight_bytes or sum(fact.weight_bytes for fact in study.facts),
        border_bytes=sum(map(engine_tensor_bytes, study.record.io_tensors)),
    )


def padded_bytes(tensor: EngineTensor) -> int:
    """Bytes with the channels rounded up to the vector width of the tensor's format; 0 where shape or dtype lack."""
    plain = engine_tensor_bytes(tensor)
    text = tensor.format.lower()
    found = _CHANNELS.search(text)
    width = (
        int(found["width"]) if found else next((w for word, w in _WIDE.items() if text.startswith(f"{word} wide")), 1)
    )
    if width == 1 or len(tensor.shape) < 2 or not plain:
        return plain
    channels = tensor.shape[1]
    return plain // channels * (-(-channels // width) * width) if channels else plain


def _placed(items: Sequence[tuple[str, int, int, int]], dtypes: dict[str, str]) -> tuple[Lifetime, ...]:
    """Largest first, each at the lowest offset that is free during its whole life (first fit decreasing)."""
    placed: list[Lifetime] = []
    for name, size, first, last in sorted(items, key=lambda item: (-item[1], item[2])):
        rivals = sorted(
            (item.offset, item.offset + item.size_bytes)
            for item in placed
            if item.first <= last and first <= item.last and item.size_bytes
        )
        offset = 0
        for begin, end in rivals:
            if offset + size <= begin:
                break
            offset = max(offset, -(-end // _ALIGNMENT) * _ALIGNMENT)
        placed.append(Lifetime(name=name, size_bytes=size, first=first, last=last, offset=offset, dtype=dtypes[name]))
    return tuple(sorted(placed, key=lambda item: (item.first, item.name)))


def at_batch(record: EngineRecord, batch: int) -> EngineRecord:
    """The record with every open first dimension at a batch; other open dimensions stay open, and count no bytes."""

    def sized(tensors: tuple[EngineTensor, ...]) -> tuple[EngineTensor, ...]:
        return tuple(
            replace(tensor, shape=(batch, *tensor.shape[1:])) if tensor.shape[:1] == (-1,) else tensor
            for tensor in tensors
        )

    layers = tuple(replace(item, inputs=sized(item.inputs), outputs=sized(item.outputs)) for item in record.layers)
    return replace(record, layers=layers, io_tensors=sized(record.io_tensors))


@dataclass(frozen=True, kw_only=True)
class MemoryAt:
    """Device memory at a batch: weights, the most activations alive at once (an estimate), and workspace.

    The builder reserves the workspace for the largest shape of its profiles, so that it is the same at every batch;
    None where its log does not say.
    """

    batch: int
    weight_bytes: int
    activation_bytes: int
    workspace_bytes: int | None

    @property
    def total_bytes(self) -> int:
        """All three; inputs and outputs are the caller's memory."""
        return self.weight_bytes + self.activation_bytes + (self.workspace_bytes or 0)


def memory_at(study: EngineStudy) -> tuple[MemoryAt, ...]:
    """Memory at batch 1, at the recorded batch and at the largest of the profiles; empty without a known batch."""
    if not study.batch:
        return ()
    memory = memory_map(study)
    return tuple(
        MemoryAt(
            batch=batch,
            weight_bytes=memory.weight_bytes,
            activation_bytes=activations_at(study, batch, memory),
            workspace_bytes=study.workspace_bytes,
        )
        for batch in sorted({1, study.batch, study.largest_batch or study.batch})
    )


def activations_at(study: EngineStudy, batch: int, memory: MemoryMap | None = None) -> int:
    """Peak of the live activations if every tensor whose first dimension is the recorded batch had another one.

    Linear in the batch by construction; a builder may take other tactics and formats there. `memory` is the study's
    map, where it is known already.
    """
    if not study.batch or batch < 1:
        raise ValueError(f"batch {batch} cannot be scaled from a recorded batch of {study.batch}")
    shapes = {t.name: t.shape for layer in study.record.working_layers for t in layer.outputs}
    memory = memory or memory_map(study)
    live = [0.0] * len(memory.live_bytes)
    for item in memory.lifetimes:
        shape = shapes[item.name]
        scale = batch / study.batch if shape and shape[0] == study.batch else 1.0
        for step in range(item.first, item.last + 1):
            live[step] += item.size_bytes * scale
    return int(max(live, default=0.0))
