"""Clocks, temperature, power and neighbours of the GPU, sampled beside a run by a thread of its own.

NVML needs the package nvidia-ml-py; without it, or where the driver refuses, there are no samples.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

from trt_core.domain.latency import GpuSample

_PERIOD_S = 0.1
T = TypeVar("T")


class GpuSampler:
    """Takes a sample at the start, one each tenth of a second, and one at the end."""

    def __init__(self, bus_id: str) -> None:
        self.samples: list[GpuSample] = []
        self._nvml, self._handle = _opened(bus_id)
        self._done = threading.Event()
        self._began = time.perf_counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample while the block runs."""
        if self._nvml is None:
            yield
            return
        self._began = time.perf_counter()
        self._take()
        thread = threading.Thread(target=self._loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()
            self._take()

    def _loop(self) -> None:
        while not self._done.wait(_PERIOD_S):
            self._take()

    def _take(self) -> None:
        nvml, handle = self._nvml, self._handle
        power = self._asked(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0)
        self.samples.append(
            GpuSample(
                at_s=time.perf_counter() - self._began,
                sm_mhz=self._asked(lambda: int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))),
                memory_mhz=self._asked(lambda: int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM))),
                temperature_c=self._asked(
                    lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
                ),
                power_w=power,
                other_processes=self._asked(
                    lambda: sum(item.pid != os.getpid() for item in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
                ),
            )
        )

    def _asked(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _opened(bus_id: str) -> tuple[Any, Any]:
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None, None
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByPciBusId(bus_id.encode()) if bus_id else nvml.nvmlDeviceGetHandleByIndex(0)
    except nvml.NVMLError:
        return None, None
    return nvml, handle
