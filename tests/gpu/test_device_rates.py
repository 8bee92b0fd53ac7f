from __future__ import annotations

import pytest

from trt_core.backends.tensorrt.device_rates import copy_rate, matrix_rate
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.domain.device_rates import rates_of
from trt_core.domain.precision import Precision
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu


def test_the_measured_rates_lie_below_the_data_sheet_and_not_far(caches, figures):
    from trt_core.backends.tensorrt.device import this_gpu

    sheet = rates_of(this_gpu().name, measured=())
    if sheet is None:
        pytest.skip("no data sheet of this GPU is known")
    bandwidth, copied = copy_rate()
    found = {
        precision: matrix_rate(precision, reporter=CollectingReporter(), kept=KeptFiles(folder=caches))
        for precision in (Precision.FP16, Precision.INT8)
    }
    figures(f"{bandwidth / 1e12:.2f} TB/s, { ({key.value: round((rate or 0) / 1e12) for key, rate in found.items()}) }")
    assert copied == 1 << 30
    assert 0.6 < bandwidth / sheet.bytes_per_s < 1.0
    for precision, rate in found.items():
        assert rate is not None, f"no layer ran in {precision.value}"
        assert 0.3 < rate / sheet.ops_per_s(precision) < 1.0
    assert found[Precision.INT8] > found[Precision.FP16]
