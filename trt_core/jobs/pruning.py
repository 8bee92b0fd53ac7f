"""Which ended jobs are let go, with their logs: those that are too many, too old, or behind too many bytes of logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_core.domain.jobs import Job, JobState
from trt_core.errors import NotFound
from trt_core.protocols import JobLog

_DAY_S = 24 * 3600.0
_ENDED = tuple(state for state in JobState if state.is_terminal)


def job_files(workspace: Path) -> tuple[Path, ...]:
    """Where a workspace keeps its jobs: the folder of their logs, and the database with what belongs to it."""
    return (workspace / "jobs", *(workspace / f"jobs.sqlite{end}" for end in ("", "-wal", "-shm")))


@dataclass(frozen=True, kw_only=True)
class KeepRule:
    """How many ended jobs are kept, for how many days, and with how many bytes of logs altogether."""

    jobs: int
    days: int
    log_bytes: int


class JobShelf:
    """The ended jobs of a workspace: their rows in the job log, and `FOLDER/JOB_ID.log` for each."""

    def __init__(self, log: JobLog, folder: Path, rule: KeepRule, *, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._folder = folder
        self._rule = rule
        self._clock = clock

    def prune(self) -> list[str]:
        """Let go what the rule does not keep, row and log, and logs that have no row; the ids that went."""
        ended = self._log.jobs(states=_ENDED, limit=1 << 31)
        sizes = self._log_sizes()
        gone = let_go(ended, sizes, self._rule, now=self._clock())
        self._log.forget(gone)
        for job_id in (*gone, *self._without_row(sizes, {job.id for job in ended})):
            (self._folder / f"{job_id}.log").unlink(missing_ok=True)
        return gone

    def _log_sizes(self) -> dict[str, int]:
        found = {}
        for path in self._folder.glob("j-*.log"):
            try:
                found[path.stem] = path.stat().st_size
            except FileNotFoundError:  # another process prunes as well
                continue
        return found

    def _without_row(self, logs: dict[str, int], ended: set[str]) -> list[str]:
        found = []
        for job_id in logs.keys() - ended:
            try:
                self._log.get(job_id)
            except NotFound:
                found.append(job_id)
        return found


def let_go(ended: Sequence[Job], log_bytes: dict[str, int], rule: KeepRule, *, now: float) -> list[str]:
    """Ids of the ended jobs that the rule does not keep; the ones that ended last are kept first."""
    latest = sorted(ended, key=lambda job: job.ended_at or job.created_at, reverse=True)
    gone, held = [], 0
    for place, job in enumerate(latest):
        held += log_bytes.get(job.id, 0)
        age_s = now - (job.ended_at or job.created_at)
        # The latest one stays whatever its log weighs: somebody is about to read it.
        if place >= rule.jobs or age_s > rule.days * _DAY_S or (place and held > rule.log_bytes):
            gone.append(job.id)
    return gone
