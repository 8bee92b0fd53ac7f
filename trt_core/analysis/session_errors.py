"""Errors of loaded sessions against a loaded reference, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trt_core.analysis.error_sums import ErrorSums
from trt_core.domain.divergence import TensorError
from trt_core.domain.tensors import FLOATING
from trt_core.errors import InvalidInput
from trt_core.protocols import Reporter, SampleBatches, Session

Errors = Mapping[str, TensorError]


def session_errors(
    reference: Session, candidates: Sequence[tuple[Session, Sequence[str]]], batches: SampleBatches, reporter: Reporter
) -> list[Errors]:
    """For each candidate the error of its tensors by name; those that are not floating in the reference are left out.

    Memory holds one batch of the tensors asked for. Raises InvalidInput where a tensor has another number of elements.
    """
    watched = list(dict.fromkeys(name for _, names in candidates for name in names))
    sums = [{name: ErrorSums() for name in names} for _, names in candidates]
    for feeds in batches():
        reporter.check()
        exact = dict(zip(watched, reference.run(feeds, watched), strict=True))
        for (session, names), held in zip(candidates, sums, strict=True):
            for name, array in zip(names, session.run(feeds, list(names)), strict=True):
                if exact[name].dtype.name not in FLOATING:
                    held.pop(name, None)
                elif exact[name].size != array.size:
                    raise InvalidInput(
                        f"Tensor {name!r} is {exact[name].shape} in the model and {array.shape} in the engine.",
                        remedy="Look into an engine that was built of this model.",
                    )
                else:
                    held[name].add(exact[name], array)
    return [{name: one.result() for name, one in held.items()} for held in sums]


def worst(errors: Errors) -> tuple[str, TensorError] | None:
    """The tensor with the lowest SQNR."""
    return min(errors.items(), key=lambda pair: pair[1].sqnr_db, default=None)
