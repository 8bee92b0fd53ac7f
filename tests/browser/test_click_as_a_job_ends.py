"""A click on a link at the very moment at which a job ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import serving
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.jobs.sqlite_log import SqliteJobLog

pytestmark = pytest.mark.browser
_JOB = "j-0123456789ab"
_LATE = Path(__file__).parent / "apps" / "late_note.py"
# The page looks after its jobs every second: right after it has asked the server, a link is clicked.
_CLICK_AFTER_THE_NEXT_LOOK = """() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    send.call(this, data);
    if (window.armed) {
      window.armed = false;
      const links = [...document.querySelectorAll('[data-testid="stSidebar"] a')];
      setTimeout(() => links.find(link => link.innerText.trim().endsWith("System")).click(), 100);
    }
  };
}"""


def test_the_click_is_followed_when_a_job_ends_at_that_very_moment(visit, tmp_path):
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)", _JOB])
    try:
        with serving(tmp_path / "workspace", program=(str(_LATE),)) as slow:
            model = slow.bench.library.add_sample("digits_cnn")
            log = _running(tmp_path / "workspace", worker.pid)
            page = visit(f"/support?model={model.id}&job={_JOB}", at=slow)
            page.evaluate(_CLICK_AFTER_THE_NEXT_LOOK)
            expect(page.get_by_role("button", name="Cancel")).to_be_visible()

            log.move(_JOB, JobState.SUCCEEDED, result={"model": model.id})
            page.evaluate("window.armed = true")

            expect(page.get_by_role("heading", level=1, name="System")).to_be_visible(timeout=30_000)
            page.wait_for_timeout(3_000)  # nothing takes it back
            expect(page.get_by_role("heading", level=1)).to_have_text("System")
            assert "/system?" in page.url
            page.close()  # before its server is gone
    finally:
        worker.kill()
        worker.wait()


def _running(workspace: Path, pid: int) -> SqliteJobLog:
    """The log with a job in it that runs until it is moved."""
    log = SqliteJobLog(workspace / "jobs.sqlite")
    now = time.time()
    log.add(
        Job(
            id=_JOB,
            kind=JobKind.INSPECT,
            title="Support of digits_cnn",
            request={},
            state=JobState.RUNNING,
            created_at=now,
            started_at=now,
            heartbeat_at=now,
            pid=pid,
        )
    )
    return log
