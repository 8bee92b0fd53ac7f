"""The real tools that judge what is generated. Python packages bring some; Debian's are found, or skipped with the name
of their package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PACKAGES = {"kubectl": "kubernetes-client", "docker-compose": "docker-compose", "promtool": "prometheus"}


def tool(name: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine: apt-get install {_PACKAGES.get(name, name)}")
    return found


def checked(name: str, *words: str | Path, **options) -> str:
    """Run a tool; its output. A complaint of it fails the test with its own words."""
    answer = subprocess.run(
        [tool(name), *map(str, words)], capture_output=True, text=True, check=False, timeout=120, **options
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
