"""The calibration lab: methods side by side, how many samples are enough, and whether the data look alike."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.findings import Finding
from trt_core.domain.precision import CalibrationMethod


@dataclass(frozen=True, kw_only=True)
class MethodRange:
    """The range that one method chose for one tensor; shares are of the validation values beyond and below half a step.

    `sqnr_db` is that of rounding the validation values to INT8 over this range.
    """

    method: CalibrationMethod
    high: float
    clipped_share: float
    lost_share: float
    sqnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class TensorLab:
    """One activation under every method; `drift` is the validation set's widest magnitude over the calibration's.

    It is infinite where calibration saw nothing but zeros, and validation more.
    """

    tensor: str
    calibration_high: float
    validation_high: float
    drift: float
    methods: tuple[MethodRange, ...]


@dataclass(frozen=True, kw_only=True)
class SampleStep:
    """The error that is left with the first so many calibration samples; mean over the tensors of their SQNR."""

    samples: int
    method: CalibrationMethod
    sqnr_db: float


@dataclass(frozen=True, kw_only=True)
class CalibrationLab:
    """What the lab found for one model and two data sets."""

    tensors: tuple[TensorLab, ...]
    steps: tuple[SampleStep, ...]
    calibration_samples: int
    validation_samples: int
    findings: tuple[Finding, ...] = ()

    def best_method(self) -> CalibrationMethod:
        """The method with the highest mean SQNR over the tensors."""
        last = {step.method: step.sqnr_db for step in self.steps if step.samples == self.calibration_samples}
        return max(last, key=lambda method: last[method])
