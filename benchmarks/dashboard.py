"""How fast the pages answer over a model of 5,000 nodes, and how the dashboard starts."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.large_model import NODES, filled
from benchmarks.readers import opened
from benchmarks.tables import ROOT, Table, median, percentile, spread
from scripts import chromium
from scripts.screenshots import FLAGS, server

SESSIONS, RERUNS = 4, 10
REPEATS = 5
STARTS = 3
BOX = ".stage .box"  # a box of the graph, inside of the component


def run() -> list[Table]:
    """Fill a workspace with the large model, then time scripts, drawing and the start."""
    path = chromium.find()  # before the driver below: it starts one of its own
    if path is None:
        raise RuntimeError(chromium.REMEDY)
    with filled() as (workspace, queries):
        return [scripts(workspace, queries), browsers(workspace, queries, path)]


def scripts(workspace: Path, queries: dict[str, str]) -> Table:
    """Every page's script, run in this process by Streamlit's own test runner."""
    rows, limits = [], []
    with environment(workspace):
        for page, query in queries.items():
            wall, cpu = script_runs(page, dict(pair.split("=") for pair in query.split("&")))
            p95 = percentile(wall, 95)
            row = (page, median(wall), p95, max(wall), percentile(cpu, 95))
            rows.append((row[0], *(f"{1000 * seconds:.0f}" for seconds in row[1:])))
            limits.append((f"{page}: script run, p95", f"{p95:.3f} s", "0.3 s", p95 < 0.3))
    return Table(
        title=f"Script runs over {NODES:,} nodes",
        method=(
            f"Streamlit's AppTest runs each page's real script over a real workspace (INT8 engine, run, comparison); "
            f"{SESSIONS} new sessions of {RERUNS} runs each in one process, first runs included, milliseconds. "
            "AppTest's own reading of what was drawn is part of it; the browser is not, nor what a page draws only "
            "when it is opened or scrolled to."
        ),
        columns=("page", "median", "p95", "slowest", "p95 of processor time"),
        rows=tuple(rows),
        limits=tuple(limits),
    )


def browsers(workspace: Path, queries: dict[str, str], path: str) -> Table:
    """What a reader in Chromium waits for."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        starts = [_start(browser) for _ in range(STARTS)]
        with server(workspace) as address:
            drawn = [_first_view(browser, f"{address}/models?{queries['models']}") for _ in range(1 + REPEATS)]
        browser.close()
    return _drawing(starts, drawn)


def _drawing(starts: list[float], drawn: list[float]) -> Table:
    return Table(
        title="What a reader in Chromium waits for",
        method=(
            f"Headless Chromium on the machine of the server, seconds: median (lowest–highest). The start: from "
            f"starting the process, after installation, over an empty workspace, to the first page drawn. "
            f"The graph: from the address to the first box of {NODES:,} nodes, a fresh context each."
        ),
        columns=("what", "seconds"),
        rows=(
            ("start to first page", spread(starts)),
            ("graph, the server's first visitor", f"{drawn[0]:.2f}"),
            ("graph, later visitors", spread(drawn[1:])),
        ),
        limits=(
            ("start to first page", f"{median(starts):.2f} s", "3 s", median(starts) < 3),
            ("first view of the graph, slowest", f"{max(drawn):.2f} s", "3 s", max(drawn) < 3),
        ),
    )


def script_runs(page: str, query: dict[str, str]) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of every run of a page's script, over several new sessions in this process."""
    from streamlit.testing.v1 import AppTest

    wall, cpu = [], []
    for _ in range(SESSIONS):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"pages/{page}.py")
        for _ in range(RERUNS):
            begin, burnt = time.perf_counter(), time.process_time()
            app.run()
            wall.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - burnt)
            if app.exception or app.error:
                raise RuntimeError(f"the page {page} failed: {[*app.exception, *app.error][0].value}")
    return wall, cpu


@contextmanager
def environment(workspace: Path) -> Iterator[None]:
    """This process opens that workspace."""
    before = os.environ.get("ENGINESCOPE_WORKSPACE")
    os.environ["ENGINESCOPE_WORKSPACE"] = str(workspace)
    try:
        yield
    finally:
        os.environ.pop("ENGINESCOPE_WORKSPACE")
        if before is not None:
            os.environ["ENGINESCOPE_WORKSPACE"] = before


def _start(browser: Browser) -> float:
    with tempfile.TemporaryDirectory(prefix="enginescope-start-", ignore_cleanup_errors=True) as folder:
        begin = time.perf_counter()
        with server(Path(folder, "workspace")) as address:
            opened(browser, address, "h1").close()
            return time.perf_counter() - begin


def _first_view(browser: Browser, address: str) -> float:
    begin = time.perf_counter()
    page = opened(browser, address, BOX)
    seconds = time.perf_counter() - begin
    page.close()
    return seconds


if __name__ == "__main__":
    for table in run():
        print(table.markdown())
