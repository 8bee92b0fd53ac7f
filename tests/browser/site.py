"""The dashboard on a free port over a workspace, and a browser page that watches what goes wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response

ROOT = Path(__file__).parents[2]


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a dashboard over that workspace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    log = workspace / "server.log"
    with log.open("wb") as target:
        environment = os.environ | {"ENGINESCOPE_WORKSPACE": str(workspace)}
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=target, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 60
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"The server did not start: {log.read_text()}", pytrace=False)
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def watched(browser: Browser, address: str, *, width: int = 1280) -> Iterator[Page]:
    """A page that fails the test for an error in the console, a missing file, or a request to another host."""
    page = browser.new_page(viewport={"width": width, "height": 1000})
    wrong: list[str] = []

    def answered(response: Response) -> None:
        # A deep link asks for the server below the page's own address first: Streamlit tries both.
        if response.status >= 400 and "/_stcore/" not in response.url:
            wrong.append(f"{response.status} {response.url}")

    page.on("response", answered)
    page.on(
        "console",
        lambda said: wrong.append(said.text) if said.type == "error" and "Failed to load" not in said.text else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: wrong.append(request.url) if not request.url.startswith((address, "blob:", "data:")) else None,
    )
    yield page
    page.close()
    assert wrong == []
