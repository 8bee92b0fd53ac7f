"""Run models in ONNX Runtime, inner tensors included, and measure how far two results are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from trt_core.domain.precision import CalibrationMethod, Recipe, TensorRange
from trt_core.precision.calibrate import tensors_to_calibrate
from trt_core.precision.histogram import MagnitudeHistogram
from trt_core.precision.normalize import normalize
from trt_core.precision.thresholds import choose_threshold

SAMPLES = Path(__file__).parents[2] / "samples"


def sample(name: str) -> onnx.ModelProto:
    """A sample model, loaded."""
    return onnx.load(SAMPLES / name / "model.onnx")


def digits(count: int, part: str = "calibration") -> dict[str, np.ndarray]:
    """Images of the digits data set."""
    return {"image": np.load(SAMPLES / "digits" / f"{part}.npz")["image"][:count]}


def run(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], tensors: Sequence[str] = (), *, optimize: bool = False
) -> dict[str, np.ndarray]:
    """Outputs and the asked tensors, by name."""
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    present = {value.name for value in marked.graph.output}
    marked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in present)
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(marked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def ranges_of(model: onnx.ModelProto, recipe: Recipe, feeds: Mapping[str, np.ndarray]) -> list[TensorRange]:
    """Ranges from one batch, by the recipe's method."""
    if not recipe.needs_data:
        return []
    plain = normalize(model).model if recipe.normalize else model
    names = tensors_to_calibrate(plain, recipe)
    results = {**feeds, **run(plain, feeds, [name for name in names if name not in feeds])}
    return [_range(name, results[name], recipe.method) for name in names]


def _range(name: str, values: np.ndarray, method: CalibrationMethod) -> TensorRange:
    histogram = MagnitudeHistogram()
    histogram.add(values)
    amax = choose_threshold(histogram, method, 99.99)
    return TensorRange(tensor=name, low=-amax, high=amax, scale=amax / 127)


def sqnr_db(reference: np.ndarray, result: np.ndarray) -> float:
    """Signal to quantization noise ratio in decibels."""
    noise = np.sum((reference.astype(np.float64) - result) ** 2)
    return float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / max(noise, 1e-300)))
