"""What readers in Chromium wait for who follow links over 5,000 nodes while they are built: one, and ten at once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.floor import write_empty_pages
from benchmarks.large_model import NODES, filled
from benchmarks.tables import Table, cores, median, percentile, spread
from scripts import chromium
from scripts.screenshots import FLAGS, server

BROWSERS, LATER = 10, 3
TITLES = ("Models", "Support", "Build", "Fusion", "Latency", "Divergence", "System")  # one more in each round
_REST_S = 3  # what a page still draws after it stands is left to end before the next round
IDLE = '[data-test-script-state="notRunning"]'
# Each browser follows its own link at one moment and notes when the new page's script has run and its title stands, and
# when no chart is to be drawn any more.
GO = """([title, at]) => {
  window.took = window.stood = null;
  setTimeout(() => {
    const begin = performance.now();
    [...document.querySelectorAll('[data-testid="stSidebar"] a')].find(a => a.innerText.trim().endsWith(title)).click();
    const look = () => {
      const stands = document.querySelector('h1')?.textContent === title;  // innerText would lay the page out each time
      if (stands && document.querySelector('[data-test-script-state="notRunning"]')) {
        window.took ??= (performance.now() - begin) / 1000;
        if (!document.querySelector('.chart:not([data-chart="drawn"])')) {
          window.stood = (performance.now() - begin) / 1000;
          return;
        }
      }
      setTimeout(look, 50);  // a frame would never come in a tab that is not in front
    };
    look();
  }, at - Date.now());
}"""


def run() -> list[Table]:
    """Fill a workspace with the large model, then let one browser and ten follow links during a build."""
    path = chromium.find()  # before the driver below: it starts one of its own
    if path is None:
        raise RuntimeError(chromium.REMEDY)
    with (
        filled() as (workspace, queries),
        sync_playwright() as driver,
        tempfile.TemporaryDirectory(prefix="enginescope-empty-") as folder,
    ):
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        with server(workspace) as address:
            link = f"{address}/jobs?{queries['divergence']}&{queries['build']}"
            alone = _clicks(browser, link, workspace, readers=1)
            crowd = _clicks(browser, link, workspace, readers=BROWSERS)
        with server(workspace, folder=write_empty_pages(Path(folder), TITLES)) as address:
            floor = _clicks(browser, f"{address}/{TITLES[-1].lower()}", workspace, readers=BROWSERS)
        browser.close()
    return [_clicking(alone, crowd, floor)]


def _clicking(alone: Clicks, crowd: Clicks, floor: Clicks) -> Table:
    rows: list[tuple[str, str, str]] = []
    limits = []
    for who, found in (("1 browser", alone), (f"{BROWSERS} browsers at once", crowd)):
        for when, waits in (
            ("first visits", found.first),
            ("later visits", found.later),
            ("later visits, until the charts stand, too", found.with_charts),
        ):
            rows.append((f"{who}, {when}", spread(waits), f"{percentile(waits, 95):.2f}"))
        for what, waits in (("", found.later), (", until the charts stand, too", found.with_charts)):
            p95 = percentile(waits, 95)
            limits.append((f"{who} during a build, later visits{what}, p95", f"{p95:.2f} s", "2 s", p95 < 2))
    empty = f"{BROWSERS} browsers at once, pages of a title and {len(TITLES)} links only"
    rows.append((f"{empty}, later visits", spread(floor.later), f"{percentile(floor.later, 95):.2f}"))
    rows.append(("Chromium's own processor time in the crowd's later visits", _own(crowd), ""))
    rows.append(("the same on the pages of a title and links only", _own(floor), ""))
    return Table(
        title="Following a link during a build",
        method=(
            f"From a click to another page of the model of {NODES:,} nodes, while it is built, until the page's script "
            f"has run and its title stands, in seconds: median (lowest–highest). Each browser goes round "
            f"{len(TITLES)} pages; its first visit to one loads and evaluates what that page draws with. The browsers "
            "run on the server's own cores, so that ten at once wait for each other's drawing, which ten readers at "
            "their own machines do not; what the server takes for ten at once is in `crowd.md`. Pages of a title and "
            "links only, under the same build in the same run, are the least that ten such browsers can take here."
        ),
        columns=("who", "seconds", "p95"),
        rows=tuple(rows),
        limits=tuple(limits),
    )


def _own(found: Clicks) -> str:
    least = found.drawing_s * BROWSERS / cores()
    return f"{found.drawing_s:.2f} s a visit, on {cores()} cores at least {least:.1f} s for all"


def opened(browser: Browser, address: str, selector: str) -> Page:
    """A page of the dashboard, once what `selector` names stands on it."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(address)
    page.locator(selector).first.wait_for(timeout=120_000)
    return page


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Seconds from a click to the page, and Chromium's processor seconds for one later visit, drawing included."""

    first: list[float]
    later: list[float]
    with_charts: list[float]  # of the later visits
    drawing_s: float


def _clicks(browser: Browser, link: str, workspace: Path, *, readers: int) -> Clicks:
    """Rounds in which every browser follows its own link at one moment while a build runs."""
    pages = [opened(browser, link, "h1") for _ in range(readers)]
    for page in pages:
        page.locator(IDLE).wait_for(state="attached", timeout=120_000)
    rounds, charts, spent = [], [], []
    for turn in range(len(TITLES) + LATER):
        with building(workspace):
            before = _burnt()
            at = time.time() * 1000 + 1500
            for number, page in enumerate(pages):
                page.evaluate(GO, [TITLES[(number + turn) % len(TITLES)], at])
            charts.append(
                [
                    float(page.wait_for_function("window.stood", timeout=120_000, polling=100).json_value())
                    for page in pages
                ]
            )
            rounds.append([float(page.evaluate("window.took")) for page in pages])
            time.sleep(_REST_S)
            spent.append((_burnt() - before) / readers)
    for page in pages:
        page.close()
    first, later = rounds[: len(TITLES)], rounds[len(TITLES) :]
    return Clicks(
        first=[seconds for waits in first for seconds in waits],
        later=[seconds for waits in later for seconds in waits],
        with_charts=[seconds for waits in charts[len(TITLES) :] for seconds in waits],
        drawing_s=median(spent[len(TITLES) :]),
    )


def _burnt() -> float:
    """Processor seconds of all Chromium processes that this one has started."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "chrom" in process.name():
                times = process.cpu_times()
                seconds += times.user + times.system
    return seconds


@contextmanager
def building(workspace: Path) -> Iterator[None]:
    """A build of the large model that is under way, cancelled at the end."""
    from trt_core.domain.jobs import JobState
    from trt_core.domain.precision import Precision, Recipe
    from trt_core.domain.requests import BuildSpec, QuantizeSpec
    from trt_core.workbench import workspace_of

    bench = workspace_of(workspace)
    model = bench.library.models()[0]
    wish = QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32))
    job = bench.builds.submit(BuildSpec(variant=wish, rebuild=True))
    while bench.jobs.job(job.id).state is JobState.QUEUED:
        time.sleep(0.05)
    try:
        yield
        if bench.jobs.job(job.id).state is not JobState.RUNNING:
            raise RuntimeError("the build ended before the browsers had their answers: nothing was measured under it")
    finally:
        bench.jobs.cancel(job.id)
        while not bench.jobs.job(job.id).state.is_terminal:
            time.sleep(0.05)


if __name__ == "__main__":
    for table in run():
        print(table.markdown())
