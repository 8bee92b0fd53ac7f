"""Normalization: the named step between the uploaded file and everything that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from trt_core.domain.fusion import FusionStep
from trt_core.domain.precision import Provenance
from trt_core.precision import batchnorm, folding
from trt_core.precision.draft import Draft, read_draft
from trt_core.precision.names import make_names_unique

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Normalized:
    """A normalized model. `model` is put together, weights included, when it is first asked for."""

    draft: Draft
    steps: tuple[FusionStep, ...]

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The ONNX model."""
        return self.draft.emit()

    @property
    def provenance(self) -> Provenance:
        """Where its nodes come from, in indices of the original model's nodes."""
        return self.draft.provenance()


def normalize(model: onnx.ModelProto, *, fold_batchnorm: bool = True) -> Normalized:
    """Make node names unique and safe, fold constants and BatchNormalization, remove identities and dead nodes.

    The given model is not changed, and must not be changed while the result is in use: it still owns the weights.
    """
    draft = read_draft(model)
    make_names_unique(draft)
    passes: list[tuple[str, Callable[[Draft], None]]] = [
        (folding.IDENTITIES, folding.remove_identities),
        (folding.CONSTANTS, folding.fold_constants),
    ]
    if fold_batchnorm:
        passes.append((batchnorm.STEP, batchnorm.fold_batchnorm))
    passes.append((folding.DEAD, folding.remove_dead))
    steps = []
    for name, run in passes:
        before = len(draft.nodes)
        run(draft)
        steps.append(FusionStep(name=name, before=before, after=len(draft.nodes)))
    return Normalized(draft, tuple(steps))
