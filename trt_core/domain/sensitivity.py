"""Sensitivity: every layer's errors in several precisions, measured together, and what backends make of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from trt_core.domain.divergence import LayerDivergence
from trt_core.domain.findings import Finding
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.triage import Evaluation, UnitSensitivity


class Outcome(Enum):
    """How far a backend's answer is proven."""

    BUILT = "built"
    RUNS = "runs"
    REFUSED = "refused"
    TAKES = "takes it, by rule"
    CANNOT = "cannot, by rule"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, kw_only=True)
class BackendAnswer:
    """What one backend makes of a variant; `precisions` counts what really runs in which precision."""

    backend: str  # with release and target
    outcome: Outcome
    says: str
    precisions: tuple[tuple[str, int], ...] = ()
    build_id: str = ""


@dataclass(frozen=True, kw_only=True)
class PrecisionSensitivity:
    """One precision of a run: its units, most suspicious first, and its plain variant on the validation samples.

    `refusal` says why nothing was measured; then `units` is empty and `plain` is None.
    """

    precision: Precision
    recipe: Recipe
    units: tuple[UnitSensitivity, ...] = ()
    plain: Evaluation | None = None
    refusal: str = ""
    answers: tuple[BackendAnswer, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SensitivityRun:
    """Precisions measured in one job on the same samples; `layers` hold the accumulated and isolated errors of all.

    `samples` are those of the layers' errors, `metric_samples` those of the metric and of leave-one-out.
    """

    id: str
    model_id: str
    created_at: float
    metric: str
    tolerance: float
    method: str
    layers: tuple[LayerDivergence, ...]
    precisions: tuple[PrecisionSensitivity, ...]
    samples: int
    metric_samples: int
    seconds: float
    data: str = ""

    def of(self, precision: Precision) -> PrecisionSensitivity | None:
        """That precision's part, or None where it was not asked for."""
        return next((item for item in self.precisions if item.precision is precision), None)
