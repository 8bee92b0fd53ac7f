"""Real worker processes: they finish, fail, stop when asked, and are missed when they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trt_core.domain.jobs import Job, JobState
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BenchSpec, QuantizeSpec
from trt_core.settings import Settings
from trt_core.workbench import Workbench, open_workbench

SAMPLE = Path(__file__).parents[2] / "samples" / "digits_cnn" / "model.onnx"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return open_workbench(Settings(workspace=tmp_path))


def long_measurement(bench: Workbench) -> Job:
    """A job that would run for a minute."""
    model = bench.library.add_file(SAMPLE, trusted=True)
    request = LatencyRequest(duration_s=60, warmup=1, iterations=1)
    return bench.latency.submit(BenchSpec(subject_id=model.id, request=request))


def until(bench: Workbench, job: Job, is_so: Callable[[Job], bool], *, seconds: float = 20) -> Job:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = bench.jobs.job(job.id)
        if is_so(seen):
            return seen
        time.sleep(0.05)
    pytest.fail(f"after {seconds} s the job is {seen}\n{bench.jobs.log(job.id)}")


def is_measuring(job: Job) -> bool:
    return job.state is JobState.RUNNING and job.progress.phase == "measure"


def test_a_job_does_its_work_in_another_process(bench: Workbench):
    model = bench.library.add_file(SAMPLE, trusted=True)
    spec = QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16))

    done = until(bench, bench.variants.submit(spec), lambda job: job.state.is_terminal)

    assert done.state is JobState.SUCCEEDED, bench.jobs.log(done.id)
    assert done.pid != os.getpid()
    assert bench.variants.variant(str(done.result["variant"])).recipe.precision is Precision.FP16


def test_work_steps_back_behind_the_pages_and_a_measurement_does_not(bench: Workbench):
    own = os.nice(0)
    model = bench.library.add_file(SAMPLE, trusted=True)
    work = bench.variants.submit(QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)))
    until(bench, work, lambda job: job.pid is not None and niceness(job.pid) > own and session_niceness(job.pid) != 0)

    measured = until(bench, long_measurement(bench), is_measuring)
    assert niceness(measured.pid) == own
    assert not session_niceness(measured.pid)
    bench.jobs.cancel(measured.id)


def niceness(pid: int) -> int:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return 0


def session_niceness(pid: int | None) -> int | None:
    """The niceness that the kernel gives to the session of that process; None where it has no groups of sessions."""
    try:
        return int(Path(f"/proc/{pid}/autogroup").read_text(encoding="ascii").split("nice")[1])
    except (OSError, IndexError):
        return None


def test_a_cancelled_worker_stops_and_leaves_no_scratch(bench: Workbench):
    job = until(bench, long_measurement(bench), is_measuring)

    bench.jobs.cancel(job.id)
    bench.jobs.cancel(job.id)

    ended = until(bench, job, lambda job: job.state.is_terminal, seconds=8)
    assert ended.state is JobState.CANCELLED
    assert list((bench.settings.workspace / "tmp").iterdir()) == []


def test_a_killed_worker_is_a_lost_job_that_says_how_it_died(bench: Workbench):
    job = until(bench, long_measurement(bench), is_measuring)

    os.kill(job.pid, signal.SIGKILL)

    lost = until(bench, job, lambda job: job.state.is_terminal, seconds=5)
    assert lost.state is JobState.LOST
    assert "SIGKILL" in lost.error
    next_job = until(bench, long_measurement(bench), is_measuring)
    bench.jobs.cancel(next_job.id)
    until(bench, next_job, lambda job: job.state.is_terminal)


def test_a_crash_in_native_code_is_a_failed_job_with_its_cause(bench: Workbench):
    job = until(bench, long_measurement(bench), is_measuring)

    os.kill(job.pid, signal.SIGSEGV)

    failed = until(bench, job, lambda job: job.state.is_terminal, seconds=5)
    assert failed.state is JobState.FAILED
    assert failed.error.startswith("Native code crashed: Segmentation fault. ")
    assert "SIGSEGV while it was at: measure." in failed.error
    assert failed.remedy


def test_a_worker_over_its_memory_limit_ends_itself(bench: Workbench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINESCOPE_JOB_MEMORY_MB", "20")

    ended = until(bench, long_measurement(bench), lambda job: job.state.is_terminal)

    assert ended.state is JobState.FAILED
    assert "20 are allowed" in ended.error
    assert "ENGINESCOPE_JOB_MEMORY_MB" in ended.remedy


def test_a_worker_that_ends_itself_takes_its_scratch_along(tmp_path: Path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from trt_core.domain.jobs import Job, JobKind, JobState\n"
        "from trt_core.jobs.sqlite_log import SqliteJobLog\n"
        "from trt_core.store.folder_store import FolderStore\n"
        "from trt_core.worker import JobReporter\n"
        "root = Path(sys.argv[1]); log = SqliteJobLog(root / 'jobs.sqlite')\n"
        "job = Job(id='j-0123456789ab', kind=JobKind.BUILD, title='t', request={})\n"
        "log.add(job); log.move(job.id, JobState.RUNNING)\n"
        "store = FolderStore(root, scratch=job.id)\n"
        "(store.scratch_folder() / 'half').write_bytes(b'engine')\n"
        "JobReporter(log, job, memory_mb=1, clear_scratch=lambda: store.clear_scratch(job.id)).start()\n"
        "time.sleep(30)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=25, check=False)

    assert ended.returncode == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_deleting_a_model_cancels_the_jobs_that_work_on_it(bench: Workbench):
    running = long_measurement(bench)
    until(bench, running, is_measuring)
    model_id = bench.library.models()[0].id
    waiting = long_measurement(bench)
    assert [job.id for job in bench.library.working_on(model_id)] == [running.id, waiting.id]

    bench.library.delete(model_id)

    assert until(bench, running, lambda job: job.state.is_terminal).state is JobState.CANCELLED
    assert bench.jobs.job(waiting.id).state is JobState.CANCELLED
    assert not bench.library.models()


def test_the_same_request_is_known_while_it_is_under_way_and_another_is_not(bench: Workbench):
    running = long_measurement(bench)
    model_id = bench.library.models()[0].id
    request = LatencyRequest(duration_s=60, warmup=1, iterations=1)
    spec = bench.latency.resolved(BenchSpec(subject_id=model_id, request=request))

    same = bench.jobs.same(running.kind, spec)

    assert same is not None
    assert same.id == running.id
    assert bench.jobs.same(running.kind, replace(spec, batch=2)) is None
    bench.jobs.cancel(running.id)
    until(bench, running, lambda job: job.state.is_terminal)
    assert bench.jobs.same(running.kind, spec) is None
