"""How many samples of a data set go through a model at once."""

from __future__ import annotations

from functools import partial

from trt_core.domain.artifacts import DataRecord, ModelRecord
from trt_core.domain.tensors import TensorSpec
from trt_core.protocols import SampleBatches
from trt_core.services.library import Library

MOST = 64
_BYTES = 1 << 20  # of inputs in a batch: inner tensors are many times that


def sample_batches(
    library: Library, model_id: str, data_id: str, *, limit: int | None = None, most: int = MOST
) -> SampleBatches:
    """The samples of a data set in batches that the model takes, of `most` at a time; `limit` samples in all.

    A model of fixed batch takes whole batches only: see `whole_samples`.
    """
    from trt_core.store.npz import batches

    # A branch may look at the whole batch, as the data-dependent sample does: then each sample goes alone.
    branches = any(node.subgraph_nodes for node in library.graph(model_id).nodes)
    model, data = library.model(model_id), library.data(data_id)
    size = batch_size(model, data, most=1 if branches else most)
    return partial(batches, library.data_path(data_id), batch=size, limit=whole_samples(model, data, limit))


def whole_samples(model: ModelRecord, data: DataRecord, limit: int | None) -> int:
    """How many samples `limit` stands for: rounded up to the model's fixed batch, never more than the data fill."""
    size = batch_size(model, data, most=1)
    wanted = data.samples if limit is None else min(limit, data.samples)
    return min(-(-wanted // size), data.samples // size) * size


def batch_size(model: ModelRecord, data: DataRecord, *, most: int = MOST) -> int:
    """The model's own batch where it is fixed, else up to `most` samples of together at most a mebibyte."""
    fixed = [size for spec in model.inputs if isinstance(size := (spec.shape or (1,))[0], int)]
    if fixed:
        return max(1, fixed[0])
    sample = sum(_bytes(spec) for spec in data.arrays) // max(1, data.samples)
    return max(1, min(most, _BYTES // max(1, sample)))


def _bytes(spec: TensorSpec) -> int:
    count = 1
    for size in spec.shape or ():
        count *= size if isinstance(size, int) else 1
    return count * 4
