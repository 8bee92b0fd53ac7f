"""What goes wrong while somebody looks: two readers cancel one job, a worker is killed."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from trt_core.domain.jobs import Job, JobState
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.requests import BenchSpec

pytestmark = pytest.mark.browser


@pytest.fixture
def measurement(server):
    """A job that would run for two minutes, and its model."""
    record = server.bench.library.add_sample("digits_cnn")
    request = LatencyRequest(iterations=1, warmup=1, duration_s=120.0, profile_layers=False)
    job = server.bench.latency.submit(BenchSpec(subject_id=record.id, request=request))
    yield until(server, job, lambda seen: seen.state is JobState.RUNNING and seen.pid is not None)
    server.bench.jobs.cancel(job.id)
    until(server, job, lambda seen: seen.state.is_terminal)


def until(server, job: Job, is_so) -> Job:
    end = time.monotonic() + 60
    while not is_so(seen := server.bench.jobs.job(job.id)):
        assert time.monotonic() < end, seen
        time.sleep(0.1)
    return seen


def test_two_readers_cancel_one_job_and_both_see_it_end_once(visit, server, measurement):
    readers = [visit(f"/jobs?job={measurement.id}") for _ in range(2)]
    buttons = [page.get_by_test_id("stMain").get_by_role("button", name="Cancel", exact=True) for page in readers]
    for button in buttons:
        expect(button).to_be_visible(timeout=20_000)

    # Both at once, as two people would: a moment later the second button says "Stopping".
    pressed = [button.element_handle() for button in buttons]
    for element in pressed:
        element.evaluate("one => one.click()")

    for page in readers:
        expect(page.get_by_text(re.compile("was cancelled"))).to_be_visible(timeout=30_000)
        assert page.get_by_text("This part of the page failed").count() == 0
    assert server.bench.jobs.job(measurement.id).state is JobState.CANCELLED
    assert not list(server.bench.settings.workspace.glob(f"tmp/{measurement.id}-*"))


def test_a_killed_worker_is_a_red_box_and_the_page_goes_on(visit, server, measurement):
    page = visit(f"/jobs?job={measurement.id}")

    os.kill(measurement.pid, signal.SIGKILL)

    expect(page.get_by_text("The job was lost")).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stAlert").get_by_text("The worker died")).to_be_visible()
    expect(page.get_by_text("What to do:").first).to_be_visible()
    page.get_by_role("link", name="System").first.click()
    expect(page.get_by_role("heading", level=1, name="System")).to_be_visible(timeout=20_000)
    open_tab(page, page.get_by_role("tab", name="Limits and leases"))
    expect(page.get_by_text("No device is leased")).to_be_visible()
