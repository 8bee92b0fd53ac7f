"""Samples in batches that engines take: their profiles say which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from trt_core.domain.artifacts import BuildRecord, DataRecord
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, InvalidProfile
from trt_core.protocols import SampleBatches
from trt_core.services.batching import MOST, batch_size, whole_samples
from trt_core.services.library import Library

Spans = tuple[tuple[int, int, int], ...]  # the smallest, usual and largest batch, one of each profile


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Samples in batches: `samples` in all, `batch` at a time, the last one smaller where `samples` leaves a rest."""

    batches: SampleBatches
    samples: int
    batch: int


def engine_batches(
    library: Library, builds: Sequence[BuildRecord], model_id: str, data_id: str, *, limit: int | None = None
) -> Sampled:
    """The samples of a data set in batches that every one of the engines takes, as few left out as can be.

    InvalidProfile where no profile holds the samples' shapes, InvalidData for fewer samples than an engine takes.
    """
    from trt_core.store.npz import batches

    model, data = library.model(model_id), library.data(data_id)
    spans = [_spans(build, model.inputs, data) for build in builds]
    branches = any(node.subgraph_nodes for node in library.graph(model_id).nodes)
    usual = min(max(one[1] for one in ranges) for ranges in spans)
    most = 1 if branches else min(usual, batch_size(model, data, most=MOST))
    wanted = whole_samples(model, data, limit)
    size, samples = _parted(wanted, most, usual, spans)
    path = library.data_path(data_id)
    return Sampled(batches=partial(batches, path, batch=size, limit=samples), samples=samples, batch=size)


def _parted(samples: int, most: int, usual: int, spans: Sequence[Spans]) -> tuple[int, int]:
    """(batch, samples): the largest batch that leaves no rest, or one that is taken; else what leaves out least."""

    def taken(size: int) -> bool:
        return all(any(low <= size <= high for low, _, high in ranges) for ranges in spans)

    # A batch beyond what memory would have chosen is taken only where an engine has no smaller one.
    sizes = [*range(min(most, samples), 0, -1), *range(most + 1, min(usual, samples) + 1)]
    sizes = [size for size in sizes if taken(size)]
    if not sizes:
        least = max(min(low for low, _, _ in ranges) for ranges in spans)
        raise InvalidData(
            f"The data hold {samples} samples, and the engine takes {least} at once.", remedy="Give more samples."
        )
    for size in sizes:
        if samples % size == 0 or taken(samples % size):
            return size, samples
    size = min(sizes, key=lambda item: samples % item)
    return size, samples - samples % size


def _spans(build: BuildRecord, inputs: Sequence[TensorSpec], data: DataRecord) -> Spans:
    """The batches of each profile that holds samples of these shapes."""
    profiles = build.request.profiles or (OptimizationProfile(ranges=()),)
    found = tuple(_span(profile, inputs) for profile in profiles if not any(_outside(profile, data)))
    if not found:
        name, shape = next(_outside(profiles[0], data))
        raise InvalidProfile(
            f"No optimization profile of {build.id} holds samples of the shape {shape} of {name!r}.",
            remedy="Use samples inside a profile, or build with a wider one.",
        )
    return found


def _outside(profile: OptimizationProfile, data: DataRecord) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Arrays whose samples a profile does not hold, with the shape of one sample."""
    for array in data.arrays:
        ranged = profile.range_of(array.name)
        sizes = tuple(size for size in (array.shape or ())[1:] if isinstance(size, int))
        if ranged is None or not ranged.opt:
            continue
        ends = zip(ranged.min[1:], sizes, ranged.max[1:], strict=False)
        if any(not low <= size <= high for low, size, high in ends):
            yield array.name, sizes


def _span(profile: OptimizationProfile, inputs: Sequence[TensorSpec]) -> tuple[int, int, int]:
    """The batch of the first input that leaves it open, else the fixed one."""
    for item in inputs:
        ranged = profile.range_of(item.name)
        if ranged is not None and ranged.opt and item.shape and not isinstance(item.shape[0], int):
            return ranged.min[0], ranged.opt[0], ranged.max[0]
    fixed = next((size for item in inputs if isinstance(size := (item.shape or (None,))[0], int)), 1)
    return fixed, fixed, fixed
