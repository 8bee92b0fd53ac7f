"""The GPU's own samples, over a driver that answers, refuses, or goes away in the middle."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from trt_core.backends.tensorrt.nvml import GpuSampler


class NVMLError(Exception):
    """As pynvml raises it."""


class FaultyDriver:
    """pynvml over an invented GPU. `gone_after` queries of the clock the GPU falls off the bus."""

    NVMLError = NVMLError
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, *, gone_after=10**9, refuses=(), starts=True, processes=(4711,), reasons=0) -> None:
        self.left, self.refuses, self.starts = gone_after, refuses, starts
        self.processes, self.reasons = processes, reasons
        self.asked_for: object = None

    def _answer(self, name, value):
        if self.left <= 0 or name in self.refuses:
            raise NVMLError(name)
        return value

    def nvmlInit(self):
        if not self.starts:
            raise NVMLError("no driver")

    def nvmlDeviceGetHandleByPciBusId(self, bus_id):
        self.asked_for = bus_id
        return "gpu"

    def nvmlDeviceGetHandleByIndex(self, index):
        self.asked_for = index
        return "gpu"

    def nvmlDeviceGetClockInfo(self, _handle, kind):
        self.left -= kind == self.NVML_CLOCK_SM
        return self._answer("clock", 1980 if kind == self.NVML_CLOCK_SM else 3201)

    def nvmlDeviceGetTemperature(self, _handle, _sensor):
        return self._answer("temperature", 61)

    def nvmlDeviceGetPowerUsage(self, _handle):
        return self._answer("power", 412_000)

    def nvmlDeviceGetComputeRunningProcesses(self, _handle):
        return self._answer("processes", [SimpleNamespace(pid=pid) for pid in self.processes])

    def nvmlDeviceGetCurrentClocksEventReasons(self, _handle):
        return self._answer("reasons", self.reasons)


@pytest.fixture
def sampled(monkeypatch):
    def run(driver, *, seconds=0.0, bus_id="0000:0F:00.0"):
        monkeypatch.setitem(sys.modules, "pynvml", driver)
        sampler = GpuSampler(bus_id)
        with sampler.running():
            time.sleep(seconds)
        return sampler.samples

    return run


def test_a_run_is_sampled_from_its_start_to_its_end(sampled):
    driver = FaultyDriver(reasons=0x4 | 0x1)

    samples = sampled(driver, seconds=0.25)

    assert len(samples) >= 4
    assert [sample.at_s for sample in samples] == sorted(sample.at_s for sample in samples)
    first = samples[0]
    assert (first.sm_mhz, first.memory_mhz, first.temperature_c, first.power_w) == (1980, 3201, 61, 412.0)
    assert first.held_back_by == ("power limit",)
    assert driver.asked_for == b"0000:0F:00.0"


@pytest.mark.parametrize(("processes", "others"), [((1,), 0), ((1, 2, 3), 2), ((), None)])
def test_one_of_the_processes_is_ours_whatever_number_it_has_in_a_container(sampled, processes, others):
    assert {sample.other_processes for sample in sampled(FaultyDriver(processes=processes))} == {others}


def test_what_the_driver_refuses_is_left_open(sampled):
    sample = sampled(FaultyDriver(refuses=("power", "reasons", "processes")))[0]

    assert (sample.sm_mhz, sample.power_w, sample.held_back_by, sample.other_processes) == (1980, None, (), None)


def test_a_gpu_that_vanishes_in_the_middle_does_not_end_the_run(sampled):
    samples = sampled(FaultyDriver(gone_after=2), seconds=0.25)

    assert samples[0].sm_mhz == 1980
    assert samples[-1].sm_mhz is None
    assert samples[-1].temperature_c is None


def test_an_older_package_calls_the_reasons_by_their_old_name(sampled):
    driver = FaultyDriver()
    driver.nvmlDeviceGetCurrentClocksEventReasons = None
    driver.nvmlDeviceGetCurrentClocksThrottleReasons = lambda _handle: 0x40

    assert sampled(driver)[0].held_back_by == ("temperature, by the hardware",)


def test_without_a_driver_there_are_no_samples(sampled):
    assert sampled(FaultyDriver(starts=False)) == []


def test_without_the_package_there_are_no_samples(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    sampler = GpuSampler("")
    with sampler.running():
        pass
    assert sampler.samples == []
