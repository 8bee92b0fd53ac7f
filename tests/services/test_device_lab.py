from __future__ import annotations

import pytest

from tests.services.test_backend_missing import WithoutDriver
from trt_core.backends.tensorrt import device_rates
from trt_core.domain.device_rates import MEASURED, DeviceRates, rates_of
from trt_core.domain.precision import Precision
from trt_core.errors import DependencyMissing, GpuUnavailable
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


def rates(device, bandwidth):
    return DeviceRates(
        device=device, bandwidth_gb_s=bandwidth, tera_ops=((Precision.INT8, 1557.5),), source="a test", is_measured=True
    )


@pytest.fixture
def bench(tmp_path):
    return open_workbench(settings_from({}, workspace=tmp_path / "workspace"), compilers={"tensorrt": WithoutDriver()})


def test_a_machine_without_a_gpu_is_refused_before_anything_is_queued(bench, tmp_path):
    with pytest.raises(GpuUnavailable, match="TensorRT does not run here"):
        bench.device.submit()
    bare = open_workbench(settings_from({}, workspace=tmp_path / "bare"), compilers={})
    with pytest.raises(DependencyMissing, match="TensorRT is not installed"):
        bare.device.submit()


def test_what_was_measured_here_is_kept_by_device_and_preferred_to_what_the_project_brings(bench, monkeypatch):
    assert bench.device.measured() == MEASURED
    for found in (rates("H200", 4000.0), rates("L4", 250.0), rates("H200", 4100.0)):
        monkeypatch.setattr(device_rates, "measure_device", lambda found=found, **_: found)
        assert bench.device.perform(CollectingReporter()) == found
    held = bench.device.measured()
    assert held == (rates("H200", 4100.0), rates("L4", 250.0), *MEASURED)
    assert rates_of("NVIDIA H200 (SM 9.0)", measured=held).bandwidth_gb_s == 4100.0
