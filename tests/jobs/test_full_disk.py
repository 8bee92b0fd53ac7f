"""A disk without room: every question is answered in words, nothing is lost, and all goes on once there is room."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trt_core.cli.main import main
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.errors import QuotaExceeded, StoreError
from trt_core.jobs.sqlite_log import SqliteJobLog

JOB = Job(id="j-000000000001", kind=JobKind.BUILD, title="t", request={})


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs a root that may mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    assert shutil.disk_usage(place).free == 0
    return filler


def test_on_a_full_disk_the_job_log_says_so_and_keeps_what_it_has(small: Path):
    log = SqliteJobLog(small / "jobs.sqlite")
    log.add(JOB)
    filler = fill(small)

    for ask in (lambda: log.get(JOB.id), log.jobs, lambda: log.move(JOB.id, JobState.RUNNING)):
        with pytest.raises(QuotaExceeded, match="disk of the workspace is full") as told:
            ask()
        assert "Free disk space" in told.value.remedy

    filler.unlink()
    assert log.get(JOB.id) == JOB
    assert log.move(JOB.id, JobState.RUNNING).state is JobState.RUNNING


def test_on_a_full_disk_a_command_is_one_line_with_what_to_do(small: Path, capsys: pytest.CaptureFixture[str]):
    words = ["jobs", "--json", "--quiet", "--workspace", str(small / "workspace")]
    assert main(words) == 0
    fill(small)

    assert main(words) == 4

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: The disk of the workspace is full")
    assert "bug" not in line


def test_a_job_log_that_cannot_be_used_for_another_reason_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = SqliteJobLog(tmp_path / "jobs.sqlite")

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refused)

    with pytest.raises(StoreError, match="unable to open database file") as told:
        log.jobs()
    assert not isinstance(told.value, QuotaExceeded)


def test_a_list_of_jobs_that_is_no_database_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "jobs.sqlite").write_text("no database, whatever its name says")

    assert main(["runs", "--workspace", str(tmp_path)]) == StoreError.exit_code

    said = capsys.readouterr().err
    assert "The list of jobs is damaged" in said
    assert "This is a bug" not in said
