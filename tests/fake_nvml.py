"""pynvml for machines without a GPU: an invented one, which answers, refuses, or goes away in the middle."""

from __future__ import annotations

from types import SimpleNamespace


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
