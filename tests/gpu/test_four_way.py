from __future__ import annotations

import numpy as np
import pytest

from tests.gpu.looking import scene
from tests.gpu.networks import residual_network
from trt_core.domain.engine_divergence import Blame
from trt_core.domain.precision import CalibrationMethod, Precision

pytestmark = pytest.mark.gpu


@pytest.fixture
def data(tmp_path):
    def saved(scale: float):
        values = np.random.default_rng(0).standard_normal((64, 3, 32, 32), dtype=np.float32)
        path = tmp_path / f"calibration-{scale}.npz"
        np.savez(path, x=values * np.float32(scale))
        return path

    return saved


def corners(square) -> str:
    found = [
        f"{item.runtime} {item.precision} {item.error.sqnr_db if item.error else item.absent}" for item in square.cells
    ]
    return f"{square.blame.value}: {square.sentence} | {'; '.join(found)}; gap {square.engine_gap.sqnr_db:.1f} dB"


def test_an_fp16_engine_is_as_good_as_its_twin_and_nothing_is_to_blame(tmp_path, caches, figures):
    square = scene(tmp_path, caches, residual_network(blocks=2, channels=64), Precision.FP16).look(search="none").square
    figures(corners(square))
    assert square.blame is Blame.NOTHING
    assert square.cell("TensorRT", "fp32").error.sqnr_db > 90
    assert square.cell("TensorRT", "fp16").error.sqnr_db > 40
    assert square.cell("ONNX Runtime", "fp16").error.sqnr_db > 40


def test_ranges_that_clip_are_blamed_on_the_quantization_not_on_the_engine(tmp_path, caches, data, figures):
    # Calibrated on values a twentieth of those that are run: whoever computes it, most of the signal is clipped.
    seen = scene(
        tmp_path, caches, residual_network(blocks=2, channels=64), Precision.INT8,
        data=data(0.05), method=CalibrationMethod.MINMAX, rest=Precision.FP32,
    )  # fmt: skip
    square = seen.look(search="none", samples=16).square
    figures(corners(square))
    assert square.blame is Blame.QUANTIZATION
    assert square.cell("TensorRT", "fp32").error.sqnr_db > 90
    low = [square.cell(runtime, "int8").error.sqnr_db for runtime in ("TensorRT", "ONNX Runtime")]
    assert max(low) < 20
    assert abs(low[0] - low[1]) < 6
