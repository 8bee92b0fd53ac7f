"""A real server and a real Chromium; a journey fails on any console error and on any request to the outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from trt_core.settings import settings_from
from trt_core.workbench import Workbench, open_workbench

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_START_S = 60
_LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running dashboard: its address, and a workbench over the same workspace."""

    address: str
    bench: Workbench


@contextmanager
def serving(workspace: Path, *, program: Sequence[str] = ("-m", "streamlit"), **settings: str) -> Iterator[Server]:
    """A dashboard on a free port over a workspace; its log is told when it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = workspace.with_suffix(".server.log")
    environment = os.environ | {"ENGINESCOPE_WORKSPACE": str(workspace)} | settings
    command = [sys.executable, *program, "run", "app.py", f"--server.port={port}"]
    with log.open("wb") as target:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=target, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(process, f"http://127.0.0.1:{port}", log)
        bench = open_workbench(settings_from({}, workspace=workspace))
        yield Server(address=f"http://127.0.0.1:{port}", bench=bench)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_healthy(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"The server did not start. Its log:\n{log.read_text()}", pytrace=False)
            time.sleep(0.1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dashboard for all journeys that can share a workspace."""
    with serving(tmp_path_factory.mktemp("browser") / "workspace") as running:
        yield running


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Open an address (`/models?model=…`) in a fresh tab and wait until it is drawn."""
    wrong: list[str] = []
    pages: list[Page] = []

    def visited(path: str = "/", *, at: Server = server, width: int = 1280) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("console", lambda message: wrong.extend(_console_error(message)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.extend(_outside(request)))
        page.on("dialog", lambda dialog: wrong.append(f"a script opened a dialog: {dialog.message}"))
        page.goto(at.address + path)
        page.get_by_role("heading", level=1).wait_for(timeout=30_000)
        settle(page)
        return page

    yield visited
    for page in pages:
        page.close()
    assert wrong == []


def settle(page: Page) -> None:
    """Wait until no script runs; for what follows a click, wait for the content itself."""
    page.locator('[data-test-script-state="notRunning"]').wait_for(state="attached", timeout=30_000)


def _console_error(message: ConsoleMessage) -> list[str]:
    # On a deep link Streamlit's own client first looks for its server below the page's path, and finds nothing there.
    own = "/_stcore/" in (message.location or {}).get("url", "") and "404" in message.text
    return [message.text] if message.type == "error" and not own else []


def _outside(request: Request) -> list[str]:
    return [] if request.url.startswith(_LOCAL) else [f"asked the outside: {request.url}"]
