"""The job log in SQLite: one row a job, every change in one immediate transaction."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.jobs import Job, JobState, Progress, Use
from trt_core.errors import NotFound, QuotaExceeded, StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created_at);
"""

_LITTLE_BYTES = 1 << 20  # SQLite wants some pages even to read


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """The gate to SQLite: QuotaExceeded for a disk without room, StoreError for a file that cannot be used."""
    try:
        yield
    except sqlite3.OperationalError as error:
        free = shutil.disk_usage(path.parent).free
        if free < _LITTLE_BYTES:
            raise QuotaExceeded(
                f"The disk of the workspace is full ({free >> 10} KiB left): its list of jobs cannot be opened.",
                remedy="Free disk space, then retry. Nothing that is stored was changed.",
            ) from error
        raise StoreError(
            f"The list of jobs cannot be used: {error}.",
            remedy="Check the rights of the workspace's folder, then retry.",
        ) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its children are mistakes of ours
            raise
        raise StoreError(
            f"The list of jobs is damaged: {error}.",
            remedy=f"Move {path.name} out of the workspace: models and results lie elsewhere and stay.",
        ) from error


class SqliteJobLog:
    """Jobs in a SQLite file, safe for many processes and threads.

    Writers begin with IMMEDIATE: a deferred transaction that reads and then writes meets "database is locked" whatever
    its timeout. Each call opens its own connection, so that no thread ever shares one.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as connection:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with _told(self._path):
            connection = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def add(self, job: Job) -> None:
        """Keep a new job."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO jobs (id, state, created_at, body) VALUES (?, ?, ?, ?)",
                (job.id, job.state.value, job.created_at, _text(job)),
            )

    def get(self, job_id: str) -> Job:
        """The job; NotFound otherwise."""
        with self._opened() as connection:
            return _read(connection, job_id)

    def jobs(self, *, states: Sequence[JobState] = (), limit: int = 200) -> list[Job]:
        """Jobs, newest first."""
        wanted = [state.value for state in states or JobState]
        marks = ",".join("?" * len(wanted))
        query = f"SELECT body FROM jobs WHERE state IN ({marks}) ORDER BY created_at DESC, rowid DESC LIMIT ?"  # noqa: S608 - only question marks are put in
        with self._opened() as connection:
            return [_job(body) for (body,) in connection.execute(query, (*wanted, limit))]

    def move(self, job_id: str, state: JobState, **changes: Any) -> Job:
        """Move a job along the table and change other fields with it."""
        with self._writing() as connection:
            job = _read(connection, job_id).moved_to(state, at=self._clock())
            return _write(connection, replace(job, **changes))

    def change(self, job_id: str, **changes: Any) -> Job:
        """Change fields other than the state."""
        with self._writing() as connection:
            return _write(connection, replace(_read(connection, job_id), **changes))

    def heartbeat(self, job_id: str, progress: Progress | None = None) -> bool:
        """Say that the worker lives; True when it should stop: asked to, or no longer running in the log."""
        with self._writing() as connection:
            job = _read(connection, job_id)
            if job.state is not JobState.RUNNING:
                return True
            _write(connection, replace(job, heartbeat_at=self._clock(), progress=progress or job.progress))
            return job.cancel_requested

    def forget(self, job_ids: Sequence[str]) -> None:
        """Drop jobs that have ended; one that has not, or is not there, is left alone."""
        if not job_ids:
            return
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM jobs WHERE id = ? AND state NOT IN ('queued', 'running')", [(name,) for name in job_ids]
            )

    def request_cancel(self, job_id: str) -> Job:
        """Ask a job to stop; a queued one is cancelled at once, asking twice or too late changes nothing."""
        with self._writing() as connection:
            job = _read(connection, job_id)
            if job.state.is_terminal or job.cancel_requested:
                return job
            asked = replace(job, cancel_requested=True, cancel_asked_at=self._clock())
            if job.state is JobState.QUEUED:
                asked = asked.moved_to(JobState.CANCELLED, at=self._clock())
            return _write(connection, asked)

    def start_next(self, *, max_workers: int) -> Job | None:
        """Move the oldest queued job that may run now to running; None when none may.

        A job that needs its device alone waits until the device is idle, and those behind it wait with it: first come,
        first served, so that a measurement is never starved by builds. Why a job waits is written into it.
        """
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT body FROM jobs WHERE state IN ('queued', 'running') ORDER BY created_at, rowid"
            )
            jobs = [_job(body) for (body,) in rows]
            running = [job for job in jobs if job.state is JobState.RUNNING]
            chosen: Job | None = None
            ahead: list[Job] = []
            for job in jobs:
                if job.state is not JobState.QUEUED:
                    continue
                reason = _why_wait(job, running, ahead, max_workers)
                if not reason and chosen is None:
                    chosen = replace(job.moved_to(JobState.RUNNING, at=self._clock()), waits_for="")
                    _write(connection, chosen)
                    running.append(chosen)
                    continue
                ahead.append(job)
                if reason and reason != job.waits_for:
                    _write(connection, replace(job, waits_for=reason))
            return chosen


def _why_wait(job: Job, running: Sequence[Job], ahead: Sequence[Job], max_workers: int) -> str:
    """Why a queued job may not start, or nothing."""
    if len(running) >= max_workers:
        return f"a free worker ({len(running)} of {max_workers} busy)"
    for other in running:
        if other.device == job.device and Use.EXCLUSIVE in (job.use, other.use):
            return f"{job.device}, held by {other.title}"
    for other in ahead:
        if other.device == job.device and other.use is Use.EXCLUSIVE:
            return f"{job.device}, wanted before by {other.title}"
    return ""


def _text(job: Job) -> str:
    return json.dumps(to_plain(job), separators=(",", ":"))


def _job(body: str) -> Job:
    return from_plain(Job, json.loads(body))


def _read(connection: sqlite3.Connection, job_id: str) -> Job:
    row = connection.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no job {job_id[:80]!r}.", remedy="See the list of jobs.")
    return _job(row[0])


def _write(connection: sqlite3.Connection, job: Job) -> Job:
    connection.execute("UPDATE jobs SET state = ?, body = ? WHERE id = ?", (job.state.value, _text(job), job.id))
    return job
