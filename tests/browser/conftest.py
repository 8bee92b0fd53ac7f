"""A real server and a real Chromium; a journey fails on any console error and on any request to the outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.browser.site import running, watch
from trt_core.settings import settings_from
from trt_core.workbench import Workbench, open_workbench

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running dashboard: its address, and a workbench over the same workspace."""

    address: str
    bench: Workbench


@contextmanager
def serving(workspace: Path, *, program: Sequence[str] = ("-m", "streamlit"), **settings: str) -> Iterator[Server]:
    """A dashboard on a free port over a workspace."""
    settings |= {"ENGINESCOPE_WORKSPACE": str(workspace)}
    with running("app.py", workspace.with_suffix(".server.log"), program=program, **settings) as address:
        yield Server(address=address, bench=open_workbench(settings_from({}, workspace=workspace)))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dashboard for all journeys that can share a workspace."""
    with serving(tmp_path_factory.mktemp("browser") / "workspace") as found:
        yield found


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
    pages: list[Page] = []
    wrong: list[list[str]] = []

    def visited(path: str = "/", *, at: Server = server, width: int = 1280) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        wrong.append(watch(page))
        page.goto(at.address + path)
        page.get_by_role("heading", level=1).wait_for(timeout=30_000)
        settle(page)
        return page

    yield visited
    for page in pages:
        page.close()
    assert [message for messages in wrong for message in messages] == []


def open_tab(page: Page, tab: Locator) -> None:
    """Click a tab and wait until what it holds has come: it is drawn when it is opened."""
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    controlled = tab.get_attribute("aria-controls")  # Streamlit's own; ours names the class of what it shows
    panel = page.locator(f'[id="{controlled}"]' if controlled else f".st-key-{tab.get_attribute('data-panel')}")
    panel.get_by_test_id("stElementContainer").first.wait_for(state="attached", timeout=30_000)
    settle(page)


def come_to(page: Page, wanted: Locator) -> Locator:
    """Scroll down as a reader does until it stands on the page: what lies below is drawn when it comes into the window."""
    page.mouse.move(page.viewport_size["width"] * 0.6, 400)
    for _ in range(60):
        if wanted.count():
            break
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(200)
    wanted.first.scroll_into_view_if_needed()
    return wanted


# What pages/ui/seen.py keeps free until it is seen; in a panel that is hidden it has no height.
_WAITING = """() => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')].find(
  (host) => host.offsetHeight && parseFloat(host.shadowRoot?.querySelector(".place")?.style.height)
)"""
_IS_DRAWN = "host => !host.isConnected || !parseFloat(host.shadowRoot.querySelector('.place').style.height)"


def see_all(page: Page) -> None:
    """Scroll to everything that is drawn when it is seen, one place after another, and wait until it is drawn."""
    settle(page)
    page.wait_for_timeout(300)  # a click's script begins a moment later, and so stands on the page what one has sent
    settle(page)
    while place := page.evaluate_handle(_WAITING).as_element():
        place.scroll_into_view_if_needed()
        page.wait_for_function(_IS_DRAWN, arg=place, timeout=30_000)
        settle(page)


def settle(page: Page) -> None:
    """Wait until no script runs; for what follows a click, wait for the content itself."""
    page.locator('[data-test-script-state="notRunning"]').wait_for(state="attached", timeout=30_000)
