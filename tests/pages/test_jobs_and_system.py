from __future__ import annotations

import pytest

from pages.ui import text
from tests.pages.conftest import cards, open_tabs, words
from trt_core.domain.jobs import Job, JobKind, JobState, Progress, Use
from trt_core.settings import VARIABLES


@pytest.fixture
def add_job(bench):
    """Put a job into the log as if a worker had brought it there."""

    def added(number: int, state: JobState, **fields: object) -> Job:
        job_id = f"j-{number:012x}"
        log = bench.jobs._context.jobs
        log.add(Job(id=job_id, kind=JobKind.BUILD, title=f"build {number}", request={"spec": {}}, created_at=number))
        if state is not JobState.QUEUED:
            log.move(job_id, state, **fields)
        return log.get(job_id)

    return added


def test_an_empty_log_says_what_will_be_here(open_page):
    assert "Nothing has run yet" in words(open_page("jobs"))


def test_a_failed_job_is_opened_by_its_link_with_what_to_do(open_page, add_job):
    job = add_job(1, JobState.FAILED, error="Layer x has no kernel.", remedy="Use FP16.", error_kind="BuildFailed")

    app = open_page("jobs", job=job.id)

    assert "No job runs or waits; 1 failed." in words(app)
    assert "The build failed" in app.error[0].value
    assert "Layer x has no kernel" in app.error[0].value.replace("\\", "")
    assert "**What to do:** Use FP16" in app.error[0].value.replace("\\", "")


def test_the_filters_narrow_the_list(open_page, add_job):
    add_job(1, JobState.FAILED, error="x")
    add_job(2, JobState.CANCELLED)
    app = open_page("jobs")
    assert len(app.dataframe[0].value) == 2

    app.multiselect(key="jobs.states").select(JobState.CANCELLED).run()

    assert list(app.dataframe[0].value["Title"]) == ["build 2"]


def test_an_unknown_job_and_a_text_that_is_none_are_red_boxes(open_page, add_job):
    add_job(1, JobState.CANCELLED)

    assert "Not found" in open_page("jobs", job="j-00000000ffff").error[0].value
    assert "is not the id of a job" in open_page("jobs", job="<script>").error[0].value


def test_the_system_page_names_every_backend_and_every_variable(open_page, bench):
    app = open_page("system")
    open_tabs(app, "limits-and-leases")

    said = words(app)
    for backend in bench.machine.capabilities():
        assert backend.title in said.replace("\\", "")
    listed = next(table.value for table in app.dataframe if "Variable" in table.value.columns)
    assert set(listed["Variable"]) == set(VARIABLES)
    assert "" not in set(listed["Value"])
    assert "No device is leased" in said


def test_a_bug_in_a_page_is_a_calm_box_and_a_line_in_the_log(open_page, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("trt_core.services.machine.MachineReport.look", broken)

    app = open_page("system")

    assert "The fault is in Enginescope" in app.error[0].value
    assert "secret detail" not in words(app)
    assert "page error" in caplog.text


def test_a_broken_setting_is_told_on_every_page(monkeypatch, open_page):
    monkeypatch.setenv("ENGINESCOPE_MAX_WORKERS", "many")

    app = open_page("system")

    assert "ENGINESCOPE_MAX_WORKERS is 'many'" in app.error[0].value.replace("\\", "")


def test_what_runs_is_in_the_frame_of_every_page(open_page, add_job, monkeypatch):
    monkeypatch.setattr("trt_core.jobs.queue.JobQueue.tend", lambda _: None)
    add_job(3, JobState.RUNNING, progress=Progress(phase="Parsing", fraction=0.4), use=Use.EXCLUSIVE)

    app = open_page("system", tab="limits-and-leases")

    assert any("build 3" in item.value for item in app.sidebar.markdown)
    assert "has `cpu`" in words(app)


def test_the_end_of_a_job_is_announced_once_with_a_link_to_what_it_made(open_page, bench, add_job, monkeypatch):
    monkeypatch.setattr("trt_core.jobs.queue.JobQueue.tend", lambda _: None)
    job = add_job(4, JobState.RUNNING)
    app = open_page("system")
    assert not app.toast

    bench.jobs._context.jobs.move(job.id, JobState.SUCCEEDED, result={"build": "b-0123456789ab", "cached": False})
    app.run()

    assert [toast.value for toast in app.toast] == ["Done: build 4. [Open](fusion?build=b-0123456789ab)"]
    assert not app.run().toast


def test_what_job_logs_take_is_part_of_what_the_workspace_uses(open_page, bench, add_job):
    job = add_job(5, JobState.FAILED, error="x")
    before = bench.library.usage()
    log = bench.jobs.log_path(job.id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"x" * (3 << 20))

    usage = bench.library.usage()
    assert usage.used_bytes - before.used_bytes == 3 << 20
    assert usage.job_bytes - before.job_bytes == 3 << 20

    _, how = cards(open_page("system"))["Workspace"]
    assert f"Job logs and their list take {text.mebibytes(usage.job_bytes)}" in how
