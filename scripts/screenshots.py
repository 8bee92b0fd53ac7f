"""Make the README screenshots from a real workspace, server and Chromium: `python scripts/screenshots.py [FOLDER]`."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from scripts import chromium  # noqa: E402
from trt_core.domain.engine import Sm  # noqa: E402
from trt_core.domain.latency import LatencyRequest  # noqa: E402
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe  # noqa: E402
from trt_core.domain.recordings import IntakeSpec  # noqa: E402
from trt_core.domain.registry import EngineState  # noqa: E402
from trt_core.domain.requests import (  # noqa: E402
    BenchSpec,
    BuildSpec,
    DivergeSpec,
    InspectSpec,
    QuantizeSpec,
    TriageSpec,
)
from trt_core.domain.sweeps import SweepSpec  # noqa: E402
from trt_core.services.recording_intake import SAMPLES_DEVICE, SAMPLES_VERSION  # noqa: E402
from trt_core.testing import CollectingReporter  # noqa: E402
from trt_core.workbench import Workbench, workspace_of  # noqa: E402

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def fill(bench: Workbench) -> dict[str, str]:
    """Run the whole flow on the transformer sample, and support on one with a foreign op; the address of each page."""
    reporter = CollectingReporter()
    bench.library.add_sample("digits_cnn")
    foreign = bench.library.add_sample("unsupported_op")
    model = bench.library.add_sample("digits_transformer")
    data = {record.name.rpartition("/")[2]: record.id for record in bench.library.data_sets()}
    calibration, test = data.get("calibration.npz", ""), data.get("test.npz", "")
    bench.support.perform(InspectSpec(model_id=foreign.id), reporter)
    int8 = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    wish = QuantizeSpec(model_id=model.id, recipe=int8, data_id=calibration)
    build = bench.builds.perform(BuildSpec(variant=wish, target=Sm(major=8, minor=9)), reporter).record.id
    half = QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16))
    safe = bench.builds.perform(BuildSpec(variant=half, target=Sm(major=8, minor=9)), reporter).record.id
    bench.registry.decide(safe, state=EngineState.APPROVED, notes="for the first rollout")
    runs = [
        bench.latency.perform(
            BenchSpec(subject_id=model.id, batch=batch, request=LatencyRequest(iterations=2000)), reporter
        ).id
        for batch in (1, 8)
    ]
    spec = DivergeSpec(
        model_id=model.id,
        against=(Precision.FP16, Precision.INT8),
        data_id=test,
        calibration_id=calibration,
        samples=64,
        mode="both",
        method=CalibrationMethod.MINMAX,
    )
    divergence = bench.divergence.perform(spec, reporter).id
    labels = data.get("test_labels.npz", "")
    search = TriageSpec(model_id=model.id, recipe=int8, data_id=calibration, validation_id=test, labels_id=labels)
    triage = bench.triage.perform(search, reporter).id
    sweep = bench.sweeps.perform(SweepSpec(subject_id=model.id, batches=(1, 2, 4, 8), streams=(1, 2)), reporter).head.id
    wanted = IntakeSpec(device=SAMPLES_DEVICE, version=SAMPLES_VERSION, engine="r50_fp16", against="r50_int8_calib")
    engines = bench.intake.opened(wanted, bench.intake.perform(wanted, reporter))
    return _addresses(
        model.id, foreign.id, build, runs, divergence=divergence, triage=triage, sweep=sweep, engines=engines
    )


def _addresses(
    model: str, foreign: str, build: str, runs: list[str], *, engines: dict[str, str], **results: str
) -> dict[str, str]:
    base = f"model={model}"
    return {
        "models": base,
        "support": f"model={foreign}",
        "build": f"{base}&build={build}",
        "fusion": f"{base}&build={build}",
        "latency": f"{base}&runs={','.join(runs)}&latency={runs[0]}",
        "divergence": f"{base}&divergence={results['divergence']}",
        "triage": f"{base}&triage={results['triage']}",
        "sweeps": f"{base}&sweep={results['sweep']}",
        "engines": urlencode(engines),
        "registry": base,
        "deploy": f"{base}&build={build}",
        "jobs": base,
        "system": base,
    }


@contextmanager
def server(workspace: Path, *, folder: Path = ROOT) -> Iterator[str]:
    """The dashboard, or the application in another folder, on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "ENGINESCOPE_WORKSPACE": str(workspace)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at {address}")


def settle(page: Page) -> None:
    """Wait until the page's script has run and what it drew has come to rest."""
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'", timeout=60_000
    )
    page.wait_for_timeout(2500)


def main() -> None:
    """Fill a workspace, open every page, keep a picture of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--height", type=int, default=1000)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--full", action="store_true", help="the whole page, not only what is seen first")
    parser.add_argument("--workspace", type=Path, help="use and keep this workspace")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    browser_path = chromium.find()  # before the driver below: it starts one of its own
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as driver:
        workspace = options.workspace or Path(scratch)
        addresses = fill(workspace_of(workspace))
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        with server(workspace) as address:
            view = browser.new_page(
                viewport={"width": options.width, "height": options.height},
                color_scheme="dark" if options.dark else "light",
            )
            for name, query in addresses.items():
                view.goto(f"{address}/{name}?{query}")
                settle(view)
                if options.full:
                    _grow(view, options.width)
                view.screenshot(path=options.folder / f"{name}.png")
                view.set_viewport_size({"width": options.width, "height": options.height})
        browser.close()


def _grow(page: Page, width: int) -> None:
    """Make the window as high as the page: the app scrolls inside of it; what is drawn when it is seen adds to it."""
    for _ in range(2):
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": width, "height": min(int(height) + 40, 8000)})
        page.wait_for_timeout(3000)


if __name__ == "__main__":
    main()
