"""What the GPU of this machine reaches at best: measured as a job, kept in the workspace, and taken by rooflines."""

from __future__ import annotations

import json
from pathlib import Path

from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.device_rates import MEASURED, DeviceRates
from trt_core.domain.jobs import Job, JobKind, Use
from trt_core.errors import GpuUnavailable
from trt_core.protocols import Reporter
from trt_core.services.context import Context
from trt_core.services.places import GPU
from trt_core.services.typing_plan import TENSORRT_FOLDER

_TENSORRT = "tensorrt"
_FILE = "device-rates.json"


class DeviceLab:
    """Measure a GPU, and know what was measured before."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self) -> None:
        """Refuse where no GPU runs TensorRT."""
        capabilities = self._context.compiler(_TENSORRT).capabilities()
        if not capabilities.can_run:
            raise GpuUnavailable(f"{capabilities.title} does not run here.", remedy=capabilities.why_not("run"))

    def submit(self) -> Job:
        """Queue a measurement, which has the GPU to itself."""
        self.check()
        job = Job(
            id="",
            kind=JobKind.RATES,
            title="Rates of the GPU",
            request={"spec": {}},
            device=GPU,
            use=Use.EXCLUSIVE,
        )
        return self._context.queue.submit(job)

    def perform(self, reporter: Reporter) -> DeviceRates:
        """Measure in the calling process; the newest measurement of a device replaces the one before."""
        from trt_core.backends.tensorrt.device_rates import measure_device
        from trt_core.backends.tensorrt.kept_files import KeptFiles, keep

        folder = self._context.settings.workspace / TENSORRT_FOLDER
        rates = measure_device(reporter=reporter, kept=KeptFiles(folder=folder))
        others = [item for item in self._held() if item.device != rates.device]
        keep(self._path(), json.dumps(to_plain((rates, *others)), indent=1).encode())
        return rates

    def measured(self) -> tuple[DeviceRates, ...]:
        """Rates measured in this workspace, then those that this project measured elsewhere."""
        return (*self._held(), *MEASURED)

    def _held(self) -> tuple[DeviceRates, ...]:
        path = self._path()
        return from_plain(tuple[DeviceRates, ...], json.loads(path.read_bytes())) if path.is_file() else ()

    def _path(self) -> Path:
        return self._context.settings.workspace / TENSORRT_FOLDER / _FILE
