"""Calibration methods side by side, judged on other data than they saw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trt_core.domain.calibration_lab import CalibrationLab, MethodRange, SampleStep, TensorLab
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import ADVISED_CALIBRATION_SAMPLES, EDGES, CalibrationMethod, Precision, Recipe
from trt_core.errors import InvalidData
from trt_core.precision.formats import LARGEST, to_e4m3
from trt_core.precision.histogram import BINS, MagnitudeHistogram
from trt_core.precision.set_distance import PartedHistogram, distance, is_apart, noise
from trt_core.precision.thresholds import choose_threshold
from trt_core.protocols import Array, Reporter, Runner, SampleBatches, Session

_DRIFT = 1.25
_IDLE = 0.5  # of the calibrated range is never reached: one of eight bits is spent on nothing
_HELPED_DB = 0.5
Histograms = dict[str, MagnitudeHistogram]
Thresholds = dict[CalibrationMethod, dict[str, float]]


def calibration_lab(
    model_path: Path,
    tensors: Sequence[str],
    calibration: SampleBatches,
    validation: SampleBatches,
    recipe: Recipe,
    *,
    runner: Runner,
    reporter: Reporter,
) -> CalibrationLab:
    """Choose ranges by every method after 1, 4, 16 ... and all calibration samples; weigh them on validation samples.

    The recipe gives the percentile, and the precision that values are rounded to: INT8 or FP8.
    Both sets stream through once; histograms of 2,048 bins, six a tensor, are all that is kept. Errors are those of
    rounding the validation histogram, accurate to its bins.
    """
    seen = _Seen(model_path, tensors, runner, reporter)
    parted = {name: PartedHistogram() for name in tensors}
    chosen, count = _chosen(seen, calibration, parted, recipe.percentile)
    first, second, batches = _whole(parted), {name: MagnitudeHistogram() for name in tensors}, seen.batches
    checked = max(seen.through(validation, second, phase="Looking at the validation data"), default=0)
    if not count or not checked:
        raise InvalidData("There is no sample to calibrate or to validate on.", remedy="Give samples for both.")
    chosen[count] = _thresholds(first, recipe.percentile)
    precision = recipe.precision
    labs = tuple(
        replace(
            _tensor(name, first[name], second[name], chosen[count], precision),
            noise=noise(parted[name], seen.batches - batches),
        )
        for name in tensors
    )
    steps = _steps(chosen, second, precision)
    return CalibrationLab(
        tensors=labs,
        steps=steps,
        calibration_samples=count,
        validation_samples=checked,
        precision=precision,
        percentile=recipe.percentile,
        findings=tuple(_findings(labs, steps)),
    )


def _chosen(
    seen: _Seen, calibration: SampleBatches, parted: Mapping[str, PartedHistogram], percentile: float
) -> tuple[dict[int, Thresholds], int]:
    """Ranges after 1, 4, 16 ... samples by that number, and the number of all."""
    chosen: dict[int, Thresholds] = {}
    count, mark = 0, 1
    for count in seen.through(calibration, parted, phase="Calibrating"):
        if count >= mark:
            chosen[count] = _thresholds(_whole(parted), percentile)
            while mark <= count:
                mark *= 4
    return chosen, count


class _Seen:
    """Streams samples through a model into histograms."""

    def __init__(self, model_path: Path, tensors: Sequence[str], runner: Runner, reporter: Reporter) -> None:
        self._path, self._tensors, self._runner, self._reporter = model_path, tensors, runner, reporter
        self.batches = 0  # in all

    def through(
        self, batches: SampleBatches, histograms: Histograms | Mapping[str, PartedHistogram], *, phase: str
    ) -> Iterator[int]:
        """Count every batch; the number of samples so far."""
        session: Session | None = None
        done = 0
        for feeds in batches():
            self._reporter.check()
            inner = [name for name in self._tensors if name not in feeds]
            session = session or self._runner.load(self._path, extra_outputs=inner)
            found = session.run(feeds, inner) if inner else []
            values = {**feeds, **dict(zip(inner, found, strict=True))}
            for name, histogram in histograms.items():
                _count(histogram, name, np.asarray(values[name]))
            done += max((int(array.shape[0]) for array in feeds.values() if array.ndim), default=1)
            self.batches += 1
            self._reporter.progress(Progress(phase=phase, step=done))
            yield done


def _count(histogram: MagnitudeHistogram | PartedHistogram, name: str, values: Array) -> None:
    try:
        histogram.add(values)
    except ValueError:
        raise InvalidData(
            f"Tensor {name!r} holds NaN on these samples: it has no range to judge.",
            remedy="Find the sample that gives it, or leave the lab out.",
        ) from None


def _whole(parted: Mapping[str, PartedHistogram]) -> Histograms:
    return {name: item.whole() for name, item in parted.items()}


def _thresholds(histograms: Histograms, percentile: float) -> Thresholds:
    return {
        method: {name: choose_threshold(item, method, percentile) for name, item in histograms.items()}
        for method in CalibrationMethod
    }


def _steps(chosen: Mapping[int, Thresholds], second: Histograms, precision: Precision) -> tuple[SampleStep, ...]:
    return tuple(
        SampleStep(samples=samples, method=method, sqnr_db=_mean_db(second, by_tensor, precision))
        for samples, methods in chosen.items()
        for method, by_tensor in methods.items()
    )


def _tensor(
    name: str,
    first: MagnitudeHistogram,
    second: MagnitudeHistogram,
    chosen: Mapping[CalibrationMethod, Mapping[str, float]],
    precision: Precision,
) -> TensorLab:
    methods = tuple(method_range(method, by_tensor[name], second, precision) for method, by_tensor in chosen.items())
    return TensorLab(
        tensor=name,
        calibration_high=first.amax,
        validation_high=second.amax,
        drift=_drift(first.amax, second.amax),
        methods=methods,
        distance=distance(first, second),
    )


def _drift(first: float, second: float) -> float:
    if first > 0.0:
        return second / first
    return math.inf if second > 0.0 else 1.0


def method_range(method: CalibrationMethod, high: float, seen: MagnitudeHistogram, precision: Precision) -> MethodRange:
    """What rounding a histogram's values over a range up to `high` does to them."""
    total = max(1, seen.zeros + int(seen.counts.sum()))
    scale, (edge, zero) = high / LARGEST[precision], EDGES[precision]
    return MethodRange(
        method=method,
        high=high,
        clipped_share=(float(seen.counts.sum()) - seen.below(scale * edge)) / total,
        lost_share=seen.below(scale * zero) / total,
        sqnr_db=rounding_db(seen, high, precision),
    )


def rounding_db(seen: MagnitudeHistogram, high: float, precision: Precision) -> float | None:
    """SQNR in dB of rounding a histogram's values to INT8 or FP8 over a range up to `high`; None where undefined."""
    if high <= 0.0 or seen.limit <= 0.0:
        return None
    centres = (np.arange(BINS) + 0.5) * seen.limit / BINS
    scale = high / LARGEST[precision]
    steps = np.minimum(centres / scale, LARGEST[precision])
    rounded = scale * (to_e4m3(steps) if precision is Precision.FP8 else np.rint(steps))
    counts = seen.counts.astype(np.float64)
    signal, noise = float(counts @ centres**2), float(counts @ (centres - rounded) ** 2)
    return 10.0 * math.log10(signal / noise) if signal > 0.0 and noise > 0.0 else None


def _mean_db(second: Histograms, high: Mapping[str, float], precision: Precision) -> float:
    found = [value for name, item in second.items() if (value := rounding_db(item, high[name], precision)) is not None]
    return sum(found) / len(found) if found else 0.0


def _findings(labs: Sequence[TensorLab], steps: Sequence[SampleStep]) -> Iterator[Finding]:
    yield from _drifts(labs)
    yield from _unlike(labs)
    yield from _more_samples(steps)


def _drifts(labs: Sequence[TensorLab]) -> Iterator[Finding]:
    """Tensors whose validation values leave the calibrated range, and those that use little of it."""
    wider = tuple(lab.tensor for lab in labs if lab.drift > _DRIFT)
    if wider:
        worst = max(labs, key=lambda lab: lab.drift)
        yield Finding(
            rule="calibration-drift",
            severity=Severity.WARNING,
            message=f"The validation data reach beyond the calibration data at {len(wider)} of {len(labs)} tensors.",
            remedy="Calibrate with data that look like production: these values will be clipped.",
            nodes=wider,
            evidence=_widths(worst),
        )
    idle = tuple(lab.tensor for lab in labs if lab.drift < _IDLE)
    if idle:
        yield Finding(
            rule="calibration-too-wide",
            severity=Severity.WARNING,
            message=f"The validation data use less than half of the calibrated range at {len(idle)} of {len(labs)} "
            "tensors.",
            remedy="Are both sets scaled and normalized alike? Steps are spent on values that do not occur.",
            nodes=idle,
            evidence=_widths(min(labs, key=lambda lab: lab.drift)),
        )


def _unlike(labs: Sequence[TensorLab]) -> Iterator[Finding]:
    """Tensors whose values fill the same range otherwise, furthest first, such as those of inverted pictures."""
    within = (lab for lab in labs if _IDLE <= lab.drift <= _DRIFT)  # the others are told already
    found = sorted((lab for lab in within if is_apart(lab.distance, lab.noise)), key=lambda lab: -lab.distance)
    if found:
        worst = found[0]
        yield Finding(
            rule="calibration-unlike-validation",
            severity=Severity.WARNING,
            message="Within the same range, the validation data are spread otherwise than the calibration data at "
            f"{len(found)} of {len(labs)} tensors.",
            remedy="Are both sets prepared alike? Inverted pictures, for one, fill the same range otherwise.",
            nodes=tuple(lab.tensor for lab in found),
            evidence=f"At {worst.tensor} magnitudes differ by {worst.distance:.0%} of their mean. Halves of the "
            f"calibration data let {worst.noise:.1%} be expected.",
        )


def _widths(lab: TensorLab) -> str:
    return f"At {lab.tensor}: {lab.validation_high:.4g} against {lab.calibration_high:.4g}."


def _more_samples(steps: Sequence[SampleStep]) -> Iterator[Finding]:
    """Whether the last samples still changed anything, or that a single step cannot tell."""
    counts = sorted({step.samples for step in steps})
    if len(counts) < 2:
        yield Finding(
            rule="more-samples-unknown",
            severity=Severity.NOTE,
            message=f"Whether more calibration samples would help cannot be told: {counts[0]} came in a single batch, "
            "and there is nothing to hold the error against.",
            remedy=f"Give {counts[0] * 4} or more; {ADVISED_CALIBRATION_SAMPLES} are NVIDIA's advice.",
        )
        return
    by_place = {(step.samples, step.method): step.sqnr_db for step in steps}
    gains = {method: by_place[counts[-1], method] - by_place[counts[-2], method] for method in CalibrationMethod}
    method = max(gains, key=lambda item: gains[item])
    helped = gains[method] > _HELPED_DB
    yield Finding(
        rule="more-samples-help" if helped else "enough-samples",
        severity=Severity.WARNING if helped else Severity.NOTE,
        message=f"From {counts[-2]} to {counts[-1]} calibration samples the error "
        f"{'still falls' if helped else 'hardly changes'}.",
        remedy="Calibrate with more samples." if helped else "",
        evidence=f"Mean SQNR {gains[method]:+.2f} dB by {method.value}.",
    )
