"""Jobs as users see them: listed, watched, cancelled, read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

from trt_core.backends.crashes import cause_of_death
from trt_core.domain.codec import to_plain
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.errors import NotFound
from trt_core.jobs.queue import error_of
from trt_core.services.context import Context

_LAST_BYTES = 1 << 16
_JOB_ID = re.compile(r"j-[0-9a-f]{12}")


def last_words(workspace: Path, job_id: str) -> tuple[str, str] | None:
    """Cause and remedy that a dead worker's log names; None where it says nothing of its end."""
    try:
        log = (workspace / "jobs" / f"{job_id}.log").read_bytes()[-_LAST_BYTES:]
    except OSError:
        return None
    cause = cause_of_death(log.decode("utf-8", "replace"))
    return None if cause is None else (cause.sentence, cause.remedy)


def mentions(plain: object, ids: Collection[str]) -> bool:
    """True when a plain value, a job's request for example, holds one of the ids, however deep."""
    if isinstance(plain, dict):
        return any(mentions(value, ids) for value in plain.values())
    if isinstance(plain, (list, tuple)):
        return any(mentions(value, ids) for value in plain)
    return isinstance(plain, str) and plain in ids


class Jobs:
    """What ran, runs, waits and failed."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def job(self, job_id: str) -> Job:
        """One job, after a look at its process."""
        self._context.queue.tend()
        return self._context.jobs.get(self._checked(job_id))

    def jobs(self, *, active: bool = False, limit: int = 200) -> list[Job]:
        """Jobs, newest first; `active` leaves those that have ended out."""
        self._context.queue.tend()
        states = (JobState.QUEUED, JobState.RUNNING) if active else ()
        return self._context.jobs.jobs(states=states, limit=limit)

    def same(self, kind: JobKind, spec: object) -> Job | None:
        """The job of that very request that is queued or runs; None when there is none.

        `spec` is compared as it would be submitted: resolve it first where its use case does.
        """
        plain = json.loads(json.dumps(to_plain(spec)))  # as the log reads it: tuples have become lists
        active = self.jobs(active=True)
        return next((job for job in active if job.kind is kind and job.request.get("spec") == plain), None)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; asking again, or too late, changes nothing."""
        return self._context.queue.cancel(self._checked(job_id))

    def stop(self, job_id: str, *, interval_s: float = 0.05) -> None:
        """Cancel a job and wait until nothing of it runs: a few seconds where native code has to be ended."""
        self.cancel(job_id)
        while self._context.queue.is_busy(job_id):
            time.sleep(interval_s)

    def log_path(self, job_id: str) -> Path:
        """The file that holds the job's log; it need not exist yet."""
        return self._context.settings.workspace / "jobs" / f"{self._checked(job_id)}.log"

    def log(self, job_id: str, *, last_bytes: int = _LAST_BYTES) -> str:
        """The end of a job's log."""
        path = self.log_path(job_id)
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - last_bytes))
            return file.read().decode("utf-8", "replace")

    def wait(self, job_id: str, *, on_look: Callable[[Job], None], interval_s: float = 0.05) -> Job:
        """Wait until a job has ended; `on_look` sees it at every look. Raises what the job ended with."""
        while True:
            job = self.job(job_id)
            on_look(job)
            if job.state.is_terminal:
                error = error_of(job)
                if error is not None:
                    raise error
                return job
            time.sleep(interval_s)

    def _checked(self, job_id: str) -> str:
        if not _JOB_ID.fullmatch(job_id):
            raise NotFound(f"{job_id[:80]!r} is not the id of a job.", remedy="See the list of jobs.")
        return job_id
