"""The calibration lab: methods side by side, how many samples are enough, and whether the data look alike."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.findings import Finding
from trt_core.domain.precision import CalibrationMethod, Precision


@dataclass(frozen=True, kw_only=True)
class MethodRange:
    """The range that one method chose for one tensor, and what rounding the validation values over it does to them.

    `clipped_share` of them is cut off, `lost_share` becomes zero, `sqnr_db` is left: all in the lab's precision.
    """

    method: CalibrationMethod
    high: float
    clipped_share: float
    lost_share: float
    sqnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class TensorLab:
    """One activation under every method; `drift` is the validation set's widest magnitude over the calibration's.

    It is infinite where calibration saw nothing but zeros, and validation more. `distance` is by how much magnitudes of
    the two sets differ on average, of the calibration's mean magnitude; `noise` is what to expect of two sets that are
    alike, None where calibration had fewer than four batches.
    """

    tensor: str
    calibration_high: float
    validation_high: float
    drift: float
    methods: tuple[MethodRange, ...]
    distance: float = 0.0
    noise: float | None = None


@dataclass(frozen=True, kw_only=True)
class SampleStep:
    """The error that is left with the first so many calibration samples; mean over the tensors of their SQNR."""

    samples: int
    method: CalibrationMethod
    sqnr_db: float


@dataclass(frozen=True, kw_only=True)
class CalibrationLab:
    """What the lab found for one model and two data sets, rounded to `precision`: INT8, or FP8 as E4M3 has it.

    `percentile` is the one that the percentile method took.
    """

    tensors: tuple[TensorLab, ...]
    steps: tuple[SampleStep, ...]
    calibration_samples: int
    validation_samples: int
    precision: Precision = Precision.INT8
    percentile: float = 99.99
    findings: tuple[Finding, ...] = ()

    def best_method(self) -> CalibrationMethod:
        """The method with the highest mean SQNR over the tensors."""
        last = {step.method: step.sqnr_db for step in self.steps if step.samples == self.calibration_samples}
        return max(last, key=lambda method: last[method])
