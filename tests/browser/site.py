"""A Streamlit script on a free port, and a browser page that watches what goes wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

ROOT = Path(__file__).parents[2]
_START_S = 60
_LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:")


@contextmanager
def running(script: str, log: Path, *, program: Sequence[str] = ("-m", "streamlit"), **settings: str) -> Iterator[str]:
    """The address of a script of this repository; its log is told when it does not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *program, "run", script, f"--server.port={port}"]
    with log.open("wb") as target:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | settings, stdout=target, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_healthy(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
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


def small_app(name: str) -> Any:
    """The fixture `address` of a module whose page is a script in `apps/`."""

    @pytest.fixture(scope="module")
    def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        log = tmp_path_factory.mktemp(name) / "server.log"
        with running(f"tests/browser/apps/{name}.py", log, PYTHONPATH=str(ROOT)) as address:
            yield address

    return address


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a dashboard over that workspace."""
    with running("app.py", workspace.with_suffix(".server.log"), ENGINESCOPE_WORKSPACE=str(workspace)) as address:
        yield address


def watch(page: Page) -> list[str]:
    """What goes wrong from now on: an error in the console or a script, a missing file, a request to the outside."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.extend(_console_error(message)))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.extend(_outside(request)))
    page.on("response", lambda response: wrong.extend(_missing(response)))
    page.on("dialog", lambda dialog: wrong.append(f"a script opened a dialog: {dialog.message}"))
    return wrong


# On a deep link Streamlit's own client first looks for its server below the page's path, and finds nothing there.
def _console_error(message: ConsoleMessage) -> list[str]:
    own = "/_stcore/" in (message.location or {}).get("url", "") and "404" in message.text
    return [message.text] if message.type == "error" and not own else []


def _missing(response: Response) -> list[str]:
    return [f"{response.status} {response.url}"] if response.status >= 400 and "/_stcore/" not in response.url else []


def _outside(request: Request) -> list[str]:
    return [] if request.url.startswith(_LOCAL) else [f"asked the outside: {request.url}"]


@contextmanager
def watched(browser: Browser, *, width: int = 1280, height: int = 1000) -> Iterator[Page]:
    """A page that fails the test for anything that `watch` saw."""
    page = browser.new_page(viewport={"width": width, "height": height})
    wrong = watch(page)
    yield page
    page.close()
    assert wrong == []
