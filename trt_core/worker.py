"""The process of one job: `python -m trt_core.worker JOB_ID --workspace DIR`."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trt_core.domain.jobs import Job, JobState, Progress, Use
from trt_core.errors import JobCancelled, JobError, NotFound, StoreError, TrtCoreError
from trt_core.jobs.sqlite_log import SqliteJobLog
from trt_core.settings import settings_from
from trt_core.store.folder_store import FolderStore
from trt_core.workbench import open_workbench

_BEAT_S = 0.2  # at most five progress writes a second
_GRACE_S = 5.0
_ROOM_S = 30.0  # how long the end of a job waits for room to write it down
_AUTOGROUP = Path("/proc/self/autogroup")  # where the kernel has it
_NICE = 10  # a job that times nothing leaves the processor to the pages; a measurement must not wait for anybody


class JobReporter:
    """Progress, log and cancellation of one job; a thread of its own carries the heartbeat.

    When native code does not come back within the grace period after a cancel request, or memory runs over the limit,
    the thread ends the process: what was being made lies in scratch folders and is removed.
    """

    def __init__(
        self, log: SqliteJobLog, job: Job, *, memory_mb: int, clear_scratch: Callable[[], None] = lambda: None
    ) -> None:
        self._log = log
        self._clear_scratch = clear_scratch
        self._job = job
        self._memory_bytes = memory_mb << 20
        self._progress = job.progress
        self._cancelled_at: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begin to send heartbeats."""
        self._thread.start()

    def stop(self) -> None:
        """End the heartbeats, before the job's last state is written."""
        self._done.set()
        self._thread.join(timeout=5)

    def progress(self, progress: Progress) -> None:
        """Say how far the work is; written with the next heartbeat."""
        self._progress = progress

    def log(self, text: str) -> None:
        """Add lines to the job's log."""
        _say(text)

    def check(self) -> None:
        """Raise JobCancelled when the job was asked to stop."""
        if self._cancelled_at is not None:
            raise JobCancelled("The job was cancelled.")

    def _beat(self) -> None:
        while not self._done.wait(_BEAT_S):
            try:
                asked = self._log.heartbeat(self._job.id, self._progress)
            except (sqlite3.Error, StoreError) as error:
                # A full disk must not end the work; a long silence is noticed by the queue.
                _say(f"heartbeat: {error}")
                continue
            if asked and self._cancelled_at is None:
                self._cancelled_at = time.monotonic()
            if self._cancelled_at is not None and time.monotonic() - self._cancelled_at > _GRACE_S:
                self._give_up(
                    JobState.CANCELLED, "Cancelled; native code did not stop, so the worker ended itself.", ""
                )
            used = _resident_bytes()
            if used > self._memory_bytes:
                text = f"The job used {used >> 20} MiB of memory; {self._memory_bytes >> 20} are allowed."
                self._give_up(
                    JobState.FAILED, text, "Raise ENGINESCOPE_JOB_MEMORY_MB, or use a smaller model or batch."
                )

    def _give_up(self, state: JobState, error: str, remedy: str) -> None:
        if self._done.is_set():
            return
        try:
            # Here, because the queue looks after running jobs only, and clears what dead ones left.
            self._clear_scratch()
            self._log.move(self._job.id, state, error=error, remedy=remedy, error_kind="JobFailed")
        finally:
            os._exit(1)


def _say(text: str) -> None:
    """A line for the job's log; a disk without room for it must not end the work."""
    with contextlib.suppress(OSError):
        # Not to standard output: that is caught while native code works, and would be lost with the process.
        print(text, file=sys.stderr, flush=True)


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _step_back() -> None:
    """Leave the processor to whoever waits for a page.

    Linux shares the processor out among sessions first where autogroups are on (sched(7)), and a worker is a session of
    its own: its niceness counts for nothing beside the others until the session has the same.
    """
    if hasattr(os, "nice"):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        _AUTOGROUP.write_text(str(_NICE), encoding="ascii")


def main(arguments: list[str] | None = None) -> int:
    """Do one job and write down how it ended."""
    parser = argparse.ArgumentParser(prog="trt_core.worker")
    parser.add_argument("job_id")
    parser.add_argument("--workspace", type=Path, required=True)
    options = parser.parse_args(arguments)
    faulthandler.enable()
    settings = settings_from(workspace=options.workspace)
    log = SqliteJobLog(settings.workspace / "jobs.sqlite")
    job = log.get(options.job_id)
    if job.use is Use.SHARED:
        _step_back()
    store = FolderStore(settings.workspace, scratch=job.id)
    reporter = JobReporter(
        log, job, memory_mb=settings.job_memory_mb, clear_scratch=partial(store.clear_scratch, job.id)
    )
    reporter.start()
    bench = open_workbench(settings, scratch=job.id)
    try:
        result = bench.perform(job, reporter)
    except JobCancelled:
        changes: dict[str, object] = {"error": "Cancelled."}
        state = JobState.CANCELLED
    except TrtCoreError as error:
        _say(f"error: {error}\n{error.details}")
        changes = {"error": error.message, "remedy": error.remedy, "error_kind": type(error).__name__}
        # What it worked on is deleted right after it was asked to stop: the reader's wish, and no failure.
        is_wished = isinstance(error, NotFound) and log.get(job.id).cancel_requested
        state = JobState.CANCELLED if is_wished else JobState.FAILED
    except Exception as error:  # noqa: BLE001 - the border of the process: a bug becomes a failed job with its trace
        _say(traceback.format_exc())
        text = f"{type(error).__name__}: {error}"
        changes = {"error": text, "remedy": "This is a bug; its log has the trace.", "error_kind": "JobFailed"}
        state = JobState.FAILED
    else:
        changes = {"result": result, "progress": Progress(phase="Done", fraction=1.0)}
        state = JobState.SUCCEEDED
    reporter.stop()
    return _finish(log, job.id, state, changes)


def _finish(log: SqliteJobLog, job_id: str, state: JobState, changes: dict[str, object]) -> int:
    until = time.monotonic() + _ROOM_S
    while True:
        try:
            log.move(job_id, state, **changes)
            return 0 if state is JobState.SUCCEEDED else 1
        except JobError as error:
            _say(f"error: {error}")
            return 1
        except StoreError as error:
            # A disk that is full for a moment must not make a lost job of one that is done.
            _say(f"error: {error}")
            if time.monotonic() > until:
                return 1
            time.sleep(1)


if __name__ == "__main__":
    raise SystemExit(main())
