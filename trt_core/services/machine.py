"""What this machine can do, and what is missing with the line that installs it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, replace

from trt_core.domain.capabilities import Capabilities
from trt_core.services.context import Context

_PACKAGES = (
    "streamlit",
    "onnx",
    "onnxruntime",
    "polygraphy",
    "plotly",
    "pandas",
    "numpy",
    "cuda-python",
    "tensorrt",
    "tensorrt_rtx_cu13_bindings",
    "tensorrt_rtx_cu13_libs",
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One look at this machine. Memory and disk in bytes; `gpus` as the driver names them."""

    system: str
    python: str
    processor: str
    cores: int
    memory_bytes: int
    memory_free_bytes: int
    disk_free_bytes: int
    gpus: tuple[str, ...]
    driver: str
    packages: tuple[tuple[str, str], ...]  # (package, version or "")
    backends: tuple[Capabilities, ...]


class MachineReport:
    """Look at this machine through the backends and the operating system."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def capabilities(self) -> tuple[Capabilities, ...]:
        """What each backend can do here."""
        compilers = [
            replace(compiler.capabilities(), default_target=compiler.default_target)
            for compiler in self._context.compilers.values()
        ]
        return (*compilers, self._context.runner.capabilities())

    def look(self) -> Machine:
        """Everything on the System page."""
        import psutil

        memory = psutil.virtual_memory()
        gpus, driver = _gpus()
        return Machine(
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            processor=_processor(),
            cores=os.cpu_count() or 1,
            memory_bytes=memory.total,
            memory_free_bytes=memory.available,
            disk_free_bytes=shutil.disk_usage(self._context.settings.workspace).free,
            gpus=gpus,
            driver=driver,
            packages=tuple((name, _version(name)) for name in _PACKAGES),
            backends=self.capabilities(),
        )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device file, not a path of ours
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.processor())
    except OSError:
        return platform.processor() or "unknown"


def _gpus() -> tuple[tuple[str, ...], str]:
    """GPU names and driver version by `nvidia-smi`; nothing where it is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return (), ""
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (), ""
    rows = [line.rpartition(",") for line in answer.strip().splitlines() if "," in line]
    return tuple(name.strip() for name, _, _ in rows), rows[0][2].strip() if rows else ""
