"""The machine that builds, as an engine's passport names it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache


@cache
def build_host() -> tuple[tuple[str, str], ...]:
    """(fact, value) of `os`, `gpu`, `driver`, `sm` and `cuda`; what cannot be found out is left out.

    `cuda` is the toolkit of the image (CUDA_VERSION, which NVIDIA's images set), else the newest that the driver knows.
    """
    facts = {"os": f"{platform.system().lower()} {platform.machine()}"}
    rows = _asked("--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader").splitlines()
    if rows and rows[0].count(",") >= 2:
        facts["gpu"], facts["driver"], facts["sm"] = (part.strip() for part in rows[0].rsplit(",", 2))
    facts["cuda"] = os.environ.get("CUDA_VERSION", "") or _cuda_of_driver()
    return tuple((name, value) for name, value in facts.items() if value)


def _cuda_of_driver() -> str:
    words = _asked().replace("|", " ").split()
    places = [number for number in range(len(words) - 2) if words[number : number + 2] == ["CUDA", "Version:"]]
    return words[places[0] + 2] if places else ""


def _asked(*options: str) -> str:
    """What `nvidia-smi` answers; empty where it is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return subprocess.run([tool, *options], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
