"""What every test stands on: who may run beside whom, and what a machine must have for the marked ones."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

ALONE = ("serial", "browser", "gpu")


def _needs_to_be_alone(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ALONE)


def _gpu_missing() -> str | None:
    """Why no GPU test can run here, or None."""
    if shutil.which("nvidia-smi") is None and not Path("/proc/driver/nvidia/version").exists():
        return "no NVIDIA driver on this machine"
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        return "TensorRT is not installed: pip install -r requirements-gpu.txt"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need the machine to themselves last, and skip the GPU's where there is none."""
    items.sort(key=_needs_to_be_alone)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and (reason := _gpu_missing()):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Under xdist, hold a lock: shared for ordinary tests, exclusive for those that must be alone.

    One run with a lock, rather than two runs after each other, so that one summary counts every test.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with (item.config.cache.mkdir("enginescope") / "alone.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if _needs_to_be_alone(item) else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            # Said aloud, because a forked child would keep the lock alive.
            fcntl.flock(lock, fcntl.LOCK_UN)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("ENGINESCOPE_") and name != "ENGINESCOPE_CHROMIUM":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of the Chromium that the journeys drive; without one they fail, they never skip."""
    from scripts import chromium

    path = chromium.find()
    if path is None:
        pytest.fail("No Chromium that starts was found. Run `make test`, which installs one.", pytrace=False)
    return path
