"""Ended jobs are let go by number, age and size; what runs, and the job that ended last, stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.jobs.pruning import JobShelf, KeepRule
from trt_core.jobs.sqlite_log import SqliteJobLog
from trt_core.settings import settings_from
from trt_core.store.folder_store import FolderStore
from trt_core.workbench import open_workbench

DAY = 86_400.0
ALL = KeepRule(jobs=100, days=100, log_bytes=1 << 20)
NOW = 50 * DAY


@pytest.fixture
def log(tmp_path: Path) -> SqliteJobLog:
    return SqliteJobLog(tmp_path / "jobs.sqlite", clock=lambda: NOW)


def ended(log: SqliteJobLog, folder: Path, number: int, *, at: float, log_bytes: int = 10) -> str:
    """A job that failed at that time, with its log."""
    job_id = job(log, number, at=at, state=JobState.FAILED)
    folder.mkdir(exist_ok=True)
    (folder / f"{job_id}.log").write_bytes(b"x" * log_bytes)
    return job_id


def job(log: SqliteJobLog, number: int, *, at: float, state: JobState) -> str:
    row = Job(id=f"j-{number:012x}", kind=JobKind.BUILD, title="t", request={}, created_at=at)
    log.add(replace(row, state=state, ended_at=at if state.is_terminal else None))
    return row.id


def left(log: SqliteJobLog) -> set[str]:
    return {item.id for item in log.jobs()}


def logs(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


def test_more_than_so_many_ended_jobs_lose_the_oldest_row_and_log(log: SqliteJobLog, tmp_path: Path):
    folder = tmp_path / "jobs"
    old, newer, newest = (ended(log, folder, number, at=NOW - 9 + number) for number in range(3))

    gone = JobShelf(log, folder, replace(ALL, jobs=2), clock=lambda: NOW).prune()

    assert gone == [old]
    assert left(log) == logs(folder) == {newer, newest}


def test_a_job_that_ended_too_long_ago_goes(log: SqliteJobLog, tmp_path: Path):
    folder = tmp_path / "jobs"
    ended(log, folder, 1, at=NOW - 8 * DAY)
    young = ended(log, folder, 2, at=NOW - 6 * DAY)

    JobShelf(log, folder, replace(ALL, days=7), clock=lambda: NOW).prune()

    assert left(log) == logs(folder) == {young}


def test_too_many_bytes_of_logs_lose_the_oldest_but_never_the_one_that_ended_last(log: SqliteJobLog, tmp_path: Path):
    folder = tmp_path / "jobs"
    ended(log, folder, 1, at=NOW - 3, log_bytes=600)
    last = ended(log, folder, 2, at=NOW - 2, log_bytes=900)

    JobShelf(log, folder, replace(ALL, log_bytes=500), clock=lambda: NOW).prune()

    assert left(log) == logs(folder) == {last}


def test_what_waits_or_runs_is_never_let_go_however_old(log: SqliteJobLog, tmp_path: Path):
    folder = tmp_path / "jobs"
    active = {job(log, 1, at=1.0, state=JobState.QUEUED), job(log, 2, at=2.0, state=JobState.RUNNING)}
    folder.mkdir()
    (folder / "j-000000000002.log").write_text("under way")

    JobShelf(log, folder, KeepRule(jobs=1, days=1, log_bytes=1), clock=lambda: NOW).prune()
    log.forget(sorted(active))

    assert left(log) == active
    assert logs(folder) == {"j-000000000002"}


def test_a_log_without_a_row_goes_and_a_stranger_file_stays(log: SqliteJobLog, tmp_path: Path):
    folder = tmp_path / "jobs"
    known = ended(log, folder, 1, at=NOW)
    (folder / "j-00000000ffff.log").write_text("of a row that was lost")
    (folder / "notes.txt").write_text("somebody's")

    JobShelf(log, folder, ALL, clock=lambda: NOW).prune()

    assert logs(folder) == {known, "notes"}


def test_submitting_a_job_lets_the_ones_beyond_the_setting_go(tmp_path: Path):
    settings = settings_from({"ENGINESCOPE_JOBS_KEPT": "3", "ENGINESCOPE_MAX_WORKERS": "1"}, workspace=tmp_path)
    bench = open_workbench(settings)
    context = bench.jobs._context
    for number in range(5):
        ended(context.jobs, tmp_path / "jobs", number, at=context.clock() - number)

    submitted = context.queue.submit(Job(id="", kind=JobKind.BUILD, title="t", request={"spec": {}}))

    assert len(left(context.jobs) - {submitted.id}) == 3
    bench.jobs.cancel(submitted.id)


def test_job_logs_count_against_the_quota(tmp_path: Path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "j-1.log").write_bytes(b"x" * 700)
    store = FolderStore(tmp_path, quota_bytes=1000, beside=[tmp_path / "jobs", tmp_path / "gone"])

    assert store.used_bytes() == 700
    store.check_room(300)
    with pytest.raises(Exception, match="do not fit"):
        store.check_room(301)
