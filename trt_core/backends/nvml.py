"""Clocks, temperature, power and neighbours of the GPU, sampled beside a run by a thread of its own.

NVML needs the package nvidia-ml-py; without it, or where the driver refuses, there are no samples.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import GpuSample

_PERIOD_S = 0.1
# Bits of NVML's clock event reasons (nvml.h, nvmlClocksEventReason*) that stand for a want of power or cooling.
_HELD_BACK = (
    (0x4, "power limit"),
    (0x8, "hardware slowdown"),
    (0x20, "temperature"),
    (0x40, "temperature, by the hardware"),
    (0x80, "power brake"),
)
_UNWATCHED = Finding(
    rule="gpu-not-sampled",
    severity=Severity.NOTE,
    message="Clocks, temperature and neighbours of the GPU were not sampled: NVML does not answer.",
    remedy="Install nvidia-ml-py, and let the driver's libnvidia-ml be found.",
)
T = TypeVar("T")


def watched(run: Callable[[], T], *, bus_id: str) -> tuple[T, tuple[GpuSample, ...], tuple[Finding, ...]]:
    """What `run` gives, the samples taken beside it, and a note where there are none; "" is the driver's first GPU."""
    sampler = GpuSampler(bus_id)
    with sampler.running():
        result = run()
    return result, tuple(sampler.samples), () if sampler.samples else (_UNWATCHED,)


class GpuSampler:
    """Takes a sample at the start, one each tenth of a second, and one at the end.

    What the driver refuses is None in a sample; a GPU that vanishes leaves samples of None, and the run goes on.
    """

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
                other_processes=self._asked(lambda: _others(nvml.nvmlDeviceGetComputeRunningProcesses(handle))),
                held_back_by=self._asked(lambda: _reasons(nvml, handle)) or (),
            )
        )

    def _asked(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _others(processes: Sequence[Any]) -> int | None:
    """Processes beside ours; None where the driver lists none at all, as it does in some containers.

    Ours is always one of them, because it measures; its number there need not be the one that it knows itself.
    """
    return len(processes) - 1 if processes else None


def _reasons(nvml: Any, handle: Any) -> tuple[str, ...]:
    """What holds the clocks back; what sets them without need (idle, locked clocks) is left out."""
    ask = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    mask = int((ask or nvml.nvmlDeviceGetCurrentClocksThrottleReasons)(handle))
    return tuple(name for bit, name in _HELD_BACK if mask & bit)


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
