from __future__ import annotations

import pytest

from trt_core.analysis.cost import OperatingPoint, cost
from trt_core.errors import InvalidInput

POINTS = (
    OperatingPoint(batch=1, streams=1, latency_ms=2.0, inferences_per_s=500.0),
    OperatingPoint(batch=8, streams=1, latency_ms=5.0, inferences_per_s=1600.0),
    OperatingPoint(batch=32, streams=2, latency_ms=20.0, inferences_per_s=4000.0),
)


def test_devices_are_whole_and_keep_their_headroom():
    found = cost(POINTS[1], load_per_s=2000.0, price_per_hour=3.0, headroom=0.3)

    assert found.devices == 2  # 1,600/s with 30 % kept free carry 1,120/s each
    assert found.utilization == pytest.approx(2000 / 3200)
    assert found.per_month == pytest.approx(2 * 3.0 * 730)
    assert found.per_million == pytest.approx(6.0 / 7_200_000 * 1e6)


@pytest.mark.parametrize(
    "wrong", [{"load_per_s": 0.0}, {"price_per_hour": -1.0}, {"headroom": 1.0}, {"headroom": -0.1}]
)
def test_figures_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InvalidInput):
        cost(POINTS[0], **{"load_per_s": 10.0, "price_per_hour": 1.0} | wrong)
