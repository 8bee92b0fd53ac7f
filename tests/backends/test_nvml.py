"""The GPU's own samples, over a driver that answers, refuses, or goes away in the middle."""

from __future__ import annotations

import sys
import time

import pytest

from tests.fake_nvml import FaultyDriver
from trt_core.backends.nvml import GpuSampler


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
