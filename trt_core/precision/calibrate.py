"""Ranges of activations, from data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import ADVISED_CALIBRATION_SAMPLES, CalibrationMethod, Precision, Recipe, TensorRange
from trt_core.errors import InvalidData
from trt_core.precision.draft import read_draft
from trt_core.precision.formats import FLOAT, symmetric_scale
from trt_core.precision.histogram import MagnitudeHistogram
from trt_core.precision.inference import infer_types
from trt_core.precision.normalize import Normalized
from trt_core.precision.targets import plan_quantization
from trt_core.precision.thresholds import choose_threshold
from trt_core.protocols import Array, Feeds, Reporter, Runner, SampleBatches, Session

if TYPE_CHECKING:
    import onnx

PHASE = "Calibrating"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Ranges, and what was noticed on the way; `extremes` are the least and greatest finite value of each tensor."""

    ranges: tuple[TensorRange, ...]
    extremes: Mapping[str, tuple[float, float]]
    findings: tuple[Finding, ...]
    samples: int


def tensors_to_calibrate(model: onnx.ModelProto | Normalized, recipe: Recipe) -> tuple[str, ...]:
    """Activations whose ranges the recipe needs; `model` is the normalized one where the recipe normalizes.

    The names are those of the original model too, so that it can be run as it is. Rules about single nodes are left
    aside, so that one calibration serves every mixed-precision plan.
    """
    if not recipe.needs_data:
        return ()
    draft = model.draft if isinstance(model, Normalized) else read_draft(model)
    return plan_quantization(draft, infer_types(draft), recipe.precision, attention=recipe.attention).activations


def calibrate(
    model_path: Path,
    tensors: Sequence[str],
    batches: SampleBatches,
    *,
    method: CalibrationMethod,
    percentile: float = 99.99,
    runner: Runner,
    reporter: Reporter,
    samples: int | None = None,
    nan_is_left_out: bool = False,
) -> Calibration:
    """Run the model over all batches and choose a symmetric range for each tensor.

    Memory does not grow with the number of samples: one histogram of 2,048 bins a tensor. `samples` only makes
    progress a share of the whole. `scale` is that of INT8, `high / 127`. Raises InvalidData for no samples, and for NaN
    that does not come of an infinity in the data: what an infinity becomes further on is left out, and a finding. With
    `nan_is_left_out` so is every NaN.
    """
    histograms = {name: MagnitudeHistogram(extremes_only=method is CalibrationMethod.MINMAX) for name in tensors}
    session: Session | None = None
    seen = 0
    for feeds in batches():
        reporter.check()
        inner = [name for name in tensors if name not in feeds]
        if session is None:
            session = runner.load(model_path, extra_outputs=inner)
        results = dict(zip(inner, session.run(feeds, inner), strict=True)) if inner else {}
        spoiled = any(array.dtype.kind == "f" and np.isinf(array).any() for array in feeds.values())
        for name in tensors:
            values = np.asarray(results[name] if name in results else feeds[name])
            _observe(histograms[name], name, values, nan_is_left_out=nan_is_left_out or spoiled)
        seen += _batch_size(feeds)
        reporter.progress(Progress(phase=PHASE, fraction=seen / samples if samples else None, step=seen, steps=samples))
    if seen == 0:
        raise InvalidData("The calibration data hold no samples.", remedy="Give at least one sample, better 500.")
    ranges = tuple(_range(name, histograms[name], method, percentile) for name in tensors)
    extremes = {name: (found.low, found.high) for name, found in histograms.items() if found.high >= found.low}
    return Calibration(ranges=ranges, extremes=extremes, findings=tuple(_findings(histograms, seen)), samples=seen)


def _observe(histogram: MagnitudeHistogram, name: str, values: Array, *, nan_is_left_out: bool) -> None:
    if values.dtype.kind != "f":
        raise InvalidData(f"Tensor {name!r} is {values.dtype}, which has no range to calibrate.")
    try:
        histogram.add(values, nan_is_left_out=nan_is_left_out)
    except ValueError:
        raise InvalidData(
            f"Tensor {name!r} holds NaN on the calibration data.", remedy="Find the sample and leave it out."
        ) from None


def _batch_size(feeds: Feeds) -> int:
    return max((int(array.shape[0]) for array in feeds.values() if array.ndim), default=1)


def _range(name: str, histogram: MagnitudeHistogram, method: CalibrationMethod, percentile: float) -> TensorRange:
    """The symmetric range; its lower end is 0 where nothing negative was seen."""
    threshold = choose_threshold(histogram, method, percentile)
    return TensorRange(
        tensor=name,
        low=-threshold if histogram.low < 0 else 0.0,
        high=threshold,
        scale=float(symmetric_scale(threshold, Precision.INT8, FLOAT)),
    )


def _findings(histograms: Mapping[str, MagnitudeHistogram], samples: int) -> Iterator[Finding]:
    if samples < ADVISED_CALIBRATION_SAMPLES:
        yield Finding(
            rule="few-calibration-samples",
            severity=Severity.WARNING,
            message=f"{samples} calibration samples; NVIDIA advises about {ADVISED_CALIBRATION_SAMPLES}.",
            remedy="Calibrate with more samples of the data that the model will see: rare large values set the ranges.",
        )
    dead = tuple(name for name, histogram in histograms.items() if histogram.amax == 0.0)
    if dead:
        yield Finding(
            rule="dead-tensor",
            severity=Severity.WARNING,
            message=f"Zero on all samples, so that the scale is 1: {len(dead)} tensor{'s' if len(dead) > 1 else ''}.",
            remedy="Check the data, or keep the node that reads the tensor in FP16.",
            nodes=dead,
        )
    spoiled = tuple(name for name, histogram in histograms.items() if histogram.infinities or histogram.nans)
    if spoiled:
        infinities = sum(histograms[name].infinities for name in spoiled)
        nans = sum(histograms[name].nans for name in spoiled)
        made_nan = f", and {nans} NaN that infinities of the data became," if nans else ""
        yield Finding(
            rule="infinite-values",
            severity=Severity.WARNING,
            message=f"{infinities} infinite values{made_nan} were left out of the ranges.",
            remedy="Look for an overflow in the FP32 model; masks often hold infinities on purpose.",
            nodes=spoiled,
        )
