"""The queue: who may start, who is gone, who did not stop when asked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from trt_core import errors
from trt_core.domain.jobs import Job, JobState
from trt_core.errors import JobCancelled, JobError, JobFailed, JobLost, TrtCoreError
from trt_core.protocols import JobLog, Launcher

_GRACE_S = 5.0  # between asking a job to stop and ending its process
_LAUNCH_S = 30.0  # a running job without a pid for this long was never launched
_RETRY = "See its log, retry."
_SILENCE_S = 60.0  # native code can hold the interpreter's lock for seconds: a parse of 575 MB takes 1.2


class JobQueue:
    """Start queued jobs, end those that do not stop, and declare lost those whose process is gone.

    Any process may call `tend`, as often as it likes: all decisions are made in the job log's transactions.
    """

    def __init__(
        self,
        log: JobLog,
        launcher: Launcher,
        *,
        max_workers: int,
        clear_scratch: Callable[[str], None] = lambda _: None,
        prune: Callable[[], object] = lambda: None,
        last_words: Callable[[str], tuple[str, str] | None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._launcher = launcher
        self._max_workers = max_workers
        self._clear_scratch = clear_scratch
        self._prune = prune
        self._last_words = last_words
        self._clock = clock

    def submit(self, job: Job) -> Job:
        """Queue a job under a fresh id and start it if it may run now; ended ones are let go as the rule says."""
        fresh = replace(job, id=f"j-{uuid.uuid4().hex[:12]}", created_at=self._clock())
        self._log.add(fresh)
        self._prune()
        self.tend()
        return self._log.get(fresh.id)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        job = self._log.request_cancel(job_id)
        self.tend()
        return job

    def is_busy(self, job_id: str) -> bool:
        """True while a job waits or runs, and until its process is gone."""
        self.tend()
        job = self._log.get(job_id)
        return not job.state.is_terminal or self._launcher.is_alive(job)

    def tend(self) -> None:
        """Bring the log and the processes into agreement, then start what may start."""
        for job in self._log.jobs(states=(JobState.RUNNING,)):
            self._look_after(job)
        while (ready := self._log.start_next(max_workers=self._max_workers)) is not None:
            self._launch(ready)

    def _launch(self, job: Job) -> None:
        try:
            pid = self._launcher.launch(job)
        except OSError as error:
            self._end(job, JobState.FAILED, f"The worker could not be started: {error}.", "Free memory, then retry.")
            return
        self._log.change(job.id, pid=pid, heartbeat_at=self._clock())

    def _look_after(self, job: Job) -> None:
        now = self._clock()
        if job.pid is None:
            if job.started_at is not None and now - job.started_at > _LAUNCH_S:
                self._end(job, JobState.LOST, "Its worker never started.", "Submit it again.")
            return
        last_sign = max(job.heartbeat_at or 0.0, job.started_at or 0.0)
        if not self._launcher.is_alive(job):
            self._died(job)
        elif now - last_sign > _SILENCE_S:
            self._launcher.kill(job)
            self._end(job, JobState.LOST, f"The worker was silent for {now - last_sign:.0f} s.", _RETRY)
        elif job.cancel_requested:
            self._insist(job, now)

    def _died(self, job: Job) -> None:
        """Failed where the log says why (cause and remedy), lost where the process went without a word."""
        died = f"The worker died: {self._launcher.exit_text(job)}."
        phase = f" while it was at: {job.progress.phase}" if job.progress.phase else ""
        if (words := self._last_words(job.id)) is not None:
            self._end(job, JobState.FAILED, f"{words[0]} {died[:-1]}{phase}.", words[1], kind="JobFailed")
        else:
            remedy = "Memory may have run out: see the system's log, then retry." if "SIGKILL" in died else _RETRY
            self._end(job, JobState.LOST, f"{died[:-1]}{phase}.", remedy)

    def _insist(self, job: Job, now: float) -> None:
        asked_at = job.cancel_asked_at or now
        if now - asked_at > _GRACE_S:
            self._launcher.kill(job)
            self._end(job, JobState.CANCELLED, "Cancelled; the worker did not stop by itself and was ended.", "")

    def _end(self, job: Job, state: JobState, error: str, remedy: str, *, kind: str = "JobLost") -> None:
        # The worker may have finished between our look and now: then its own word stands.
        if self._log.get(job.id).state.is_terminal:
            return
        try:
            self._log.move(job.id, state, error=error, remedy=remedy, error_kind=kind)
        except JobError:
            return
        self._clear_scratch(job.id)


def error_of(job: Job) -> TrtCoreError | None:
    """The error that an ended job stands for; None for one that succeeded or still runs."""
    if job.state is JobState.FAILED:
        kind = getattr(errors, job.error_kind, JobFailed)
        return kind(job.error, remedy=job.remedy) if issubclass(kind, TrtCoreError) else JobFailed(job.error)
    if job.state is JobState.LOST:
        return JobLost(job.error, remedy=job.remedy)
    if job.state is JobState.CANCELLED:
        return JobCancelled(f"{job.title} was cancelled.", remedy="Submit it again to have it done.")
    return None
