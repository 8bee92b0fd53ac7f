"""Print the path of a Chromium that Playwright can drive; install one where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
REMEDY = "Install Chromium or Chrome, or name one in ENGINESCOPE_CHROMIUM."


def starts(path: str) -> bool:
    """Whether the program runs: on Ubuntu `chromium-browser` may be a script that only asks for a snap."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def find() -> str | None:
    """Path of a working Chromium on this machine, or None."""
    named = os.environ.get("ENGINESCOPE_CHROMIUM")
    if named:
        return named if starts(named) else None
    candidates = [found for name in NAMES if (found := shutil.which(name))]
    candidates += [app for app in MAC_APPS if Path(app).exists()]
    candidates += [own] if (own := playwright_own()) else []
    return next((path for path in candidates if starts(path)), None)


def playwright_own() -> str | None:
    """Path of the Chromium that `playwright install` has put in place, or None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def succeeds(command: list[str]) -> bool:
    """Run a command in silence: standard output belongs to the path that is the answer."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def installed() -> str | None:
    """Install a Chromium and return its path, or None."""
    is_root_on_debian = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None
    if is_root_on_debian:
        succeeds(["apt-get", "update"])
        succeeds(["apt-get", "install", "-y", "--no-install-recommends", "chromium"])
        # Ubuntu's package succeeds and holds no browser, only a pointer to a snap: what counts is that one starts.
        if path := find():
            return path
    with_libraries = ["--with-deps"] if is_root_on_debian else []
    succeeds([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"])
    return find()


def main() -> int:
    """Print the path, or one line that says what to do."""
    named = os.environ.get("ENGINESCOPE_CHROMIUM")
    path = find()
    if path is None and named:
        print(f"error: ENGINESCOPE_CHROMIUM={named} does not start. {REMEDY}", file=sys.stderr)
        return 3
    if path is None:
        print("No Chromium found: installing one.", file=sys.stderr)
        path = installed()
    if path is None:
        print(f"error: The browser tests need a Chromium, and none could be installed. {REMEDY}", file=sys.stderr)
        return 3
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
