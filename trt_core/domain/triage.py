"""Triage: the search for the plan that keeps the accuracy and most of the low-precision work."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.calibration_lab import CalibrationLab
from trt_core.domain.findings import Finding
from trt_core.domain.plans import Plan
from trt_core.domain.validation import Judgement, Measured

MAX_EVALUATIONS = 20


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One decision of a plan: a node with all that normalization folded into it.

    `node` is the name that a rule uses, `indices` are the original nodes that it stands for.
    """

    node: str
    op_type: str
    indices: tuple[int, ...]
    macs: int = 0


@dataclass(frozen=True, kw_only=True)
class ActivationFacts:
    """Values of the tensor that a unit reads (FP16 and BF16: that it writes), in the baseline.

    `outliers` are channel indices, the widest first. `clipped_share` lies beyond the calibrated range, `lost_share`
    becomes zero: in INT8 below half of `scale`, in FP8 below half its first subnormal. `over_fp16_share` lies beyond
    65504, `subnormal_share` below 2^-14. `tensor_db` and `channel_db` are SQNRs predicted for INT8 with one scale, and
    with one a channel; None in FP8. `offset_channels` lie more than `OFFSET_FACTOR` of their own spreads from zero.
    """

    tensor: str
    low: float
    high: float
    channels: int
    middle_channel: float
    outliers: tuple[int, ...]
    outlier_ratio: float
    dead_channels: int
    scale: float | None
    clipped_share: float
    lost_share: float
    over_fp16_share: float
    subnormal_share: float
    broken: int
    tensor_db: float | None
    channel_db: float | None
    offset_channels: int = 0


@dataclass(frozen=True, kw_only=True)
class UnitSensitivity:
    """What is known of one unit, most suspicious first.

    `isolated_db` and `accumulated_db` are SQNRs at its output; `weights_db` and `activations_db` are isolated too, with
    only the weights or only the activations in low precision. `gain` is what the metric gains when this unit alone goes
    back (leave-one-out); `is_measured` tells a measured gain from a first-order estimate.
    """

    unit: Unit
    isolated_db: float | None
    accumulated_db: float | None
    weights_db: float | None = None
    activations_db: float | None = None
    gain: float | None = None
    is_measured: bool = False
    facts: ActivationFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One plan tried on the validation samples.

    `low_share` is the share of the MACs that the recipe can lower and this plan does lower, `low_share_of_all` that of
    the whole model's. `step` says which part of the search asked for it.
    """

    kept: tuple[str, ...]
    step: str
    measured: Measured
    judgement: Judgement
    low_share: float
    low_share_of_all: float
    seconds: float

    @property
    def metric(self) -> float:
        """The candidate's metric."""
        return self.measured.value


@dataclass(frozen=True, kw_only=True)
class TriageRun:
    """One search; `chosen` is a position in `evaluations`, the plan is that of the chosen evaluation."""

    id: str
    model_id: str
    created_at: float
    metric: str
    tolerance: float
    method: str
    sensitivities: tuple[UnitSensitivity, ...]
    evaluations: tuple[Evaluation, ...]
    chosen: int
    plan: Plan
    samples: int
    seconds: float
    data: str = ""
    validation_id: str = ""
    labels_id: str = ""
    calibration_id: str = ""
    lab: CalibrationLab | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def before(self) -> Evaluation:
        """The plain variant: every unit lowered."""
        return self.evaluations[0]

    @property
    def after(self) -> Evaluation:
        """The chosen plan."""
        return self.evaluations[self.chosen]
