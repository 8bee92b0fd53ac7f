"""Bring what judges generated files and no Python package brings: kubectl, promtool and docker-compose, from Debian.

Nothing here fails: the tests of a tool that stays missing are skipped with its name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = {"kubectl": "kubernetes-client", "promtool": "prometheus"}  # one file each: no package is installed for them
PACKAGES = {"docker-compose": "docker-compose"}  # needs its libraries
BESIDE = Path(sys.executable).parent


def is_here(name: str) -> bool:
    return (BESIDE / name).exists() or shutil.which(name) is not None


def succeeds(*command: str, cwd: Path | None = None) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        answer = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def unpacked(name: str, package: str) -> None:
    """Put one program out of a package beside Python: installing `prometheus` would start a server."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        # apt drops to a user of its own for downloads, which must be able to write here.
        folder.chmod(0o777)
        if not succeeds("apt-get", "download", package, cwd=folder):
            return
        for archive in folder.glob("*.deb"):
            succeeds("dpkg-deb", "--extract", str(archive), str(folder / "content"))
        found = folder / "content/usr/bin" / name
        if found.is_file():
            shutil.copy2(found.resolve(), BESIDE / name)


def bring(missing: list[str]) -> None:
    is_root = os.geteuid() == 0
    if is_root:
        succeeds("apt-get", "update")
    for name in missing:
        if name in PROGRAMS:
            unpacked(name, PROGRAMS[name])
        elif is_root:
            succeeds("apt-get", "install", "-y", "--no-install-recommends", PACKAGES[name])


def main() -> int:
    wanted = [*PROGRAMS, *PACKAGES]
    missing = [name for name in wanted if not is_here(name)]
    if missing and shutil.which("apt-get") and hasattr(os, "geteuid"):
        print(f"Bringing {', '.join(missing)} from Debian: generated files are judged by them.")
        bring(missing)
    for name in wanted:
        if not is_here(name):
            print(f"{name} is not on this machine: its tests are skipped ({({**PROGRAMS, **PACKAGES})[name]}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
