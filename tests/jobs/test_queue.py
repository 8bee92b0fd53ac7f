"""Jobs start in order, never disturb a measurement, and end in a state that is true."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from trt_core.domain.jobs import MOVES, Job, JobKind, JobState, Progress, Use
from trt_core.errors import JobCancelled, JobError, JobFailed, JobLost, NotFound, UnreadableModel
from trt_core.jobs.queue import JobQueue, error_of
from trt_core.jobs.sqlite_log import SqliteJobLog

BUILD = Job(id="", kind=JobKind.BUILD, title="a build", request={})
BENCH = Job(id="", kind=JobKind.BENCH, title="a measurement", request={}, use=Use.EXCLUSIVE)


@dataclass
class StillLauncher:
    """Starts nothing; `dead` are the jobs whose process is gone."""

    launched: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    killed: list[str] = field(default_factory=list)

    def launch(self, job: Job) -> int:
        self.launched.append(job.id)
        return 1000 + len(self.launched)

    def is_alive(self, job: Job) -> bool:
        return job.id not in self.dead

    def kill(self, job: Job) -> None:
        self.killed.append(job.id)
        self.dead.add(job.id)

    def exit_text(self, job: Job) -> str:
        return f"the process of {job.title} was ended by SIGKILL"


@dataclass
class Bench:
    log: SqliteJobLog
    launcher: StillLauncher
    queue: JobQueue
    now: list[float]
    cleared: list[str]

    def state(self, job: Job) -> JobState:
        return self.log.get(job.id).state


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    now, cleared = [1000.0], []
    log = SqliteJobLog(tmp_path / "jobs.sqlite", clock=lambda: now[0])
    launcher = StillLauncher()
    queue = JobQueue(log, launcher, max_workers=2, clear_scratch=cleared.append, clock=lambda: now[0])
    return Bench(log, launcher, queue, now, cleared)


def test_a_job_starts_at_once_where_a_worker_is_free(bench: Bench):
    job = bench.queue.submit(BUILD)

    assert job.state is JobState.RUNNING
    assert job.pid == 1001


def test_the_third_job_waits_for_a_worker_and_says_so(bench: Bench):
    first, _, third = (bench.queue.submit(BUILD) for _ in range(3))
    assert third.state is JobState.QUEUED
    assert "2 of 2 busy" in third.waits_for

    bench.log.move(first.id, JobState.SUCCEEDED)
    bench.queue.tend()

    assert bench.state(third) is JobState.RUNNING


def test_a_second_job_for_the_busy_gpu_waits_and_says_for_what_while_the_processor_works_on(bench: Bench):
    on_gpu = replace(BUILD, title="FP16 build of net", device="gpu:0", use=Use.EXCLUSIVE)
    first = bench.queue.submit(on_gpu)
    second = bench.queue.submit(replace(on_gpu, title="Latency of net"))
    beside = bench.queue.submit(BUILD)

    assert first.state is JobState.RUNNING
    assert (second.state, second.waits_for) == (JobState.QUEUED, "gpu:0, held by FP16 build of net")
    assert beside.state is JobState.RUNNING

    bench.log.move(beside.id, JobState.SUCCEEDED)
    bench.log.move(first.id, JobState.SUCCEEDED)
    bench.queue.tend()
    assert bench.state(second) is JobState.RUNNING


def test_a_measurement_waits_until_it_is_alone_and_nothing_starts_beside_it(bench: Bench):
    build = bench.queue.submit(BUILD)
    measurement = bench.queue.submit(BENCH)
    later = bench.queue.submit(BUILD)
    assert measurement.state is JobState.QUEUED
    assert "cpu, held by a build" in measurement.waits_for
    assert later.state is JobState.QUEUED, "or builds would starve the measurement"

    bench.log.move(build.id, JobState.SUCCEEDED)
    bench.queue.tend()
    assert bench.state(measurement) is JobState.RUNNING
    assert bench.state(later) is JobState.QUEUED
    assert "held by a measurement" in bench.log.get(later.id).waits_for

    bench.log.move(measurement.id, JobState.SUCCEEDED)
    bench.queue.tend()
    assert bench.state(later) is JobState.RUNNING


def test_a_job_on_another_device_does_not_wait(bench: Bench):
    bench.queue.submit(BENCH)

    assert bench.queue.submit(replace(BUILD, device="gpu0")).state is JobState.RUNNING


def test_a_cancelled_job_is_busy_until_its_process_is_gone(bench: Bench):
    job = bench.queue.submit(BUILD)
    bench.queue.cancel(job.id)
    assert bench.queue.is_busy(job.id)

    bench.log.move(job.id, JobState.CANCELLED)
    assert bench.queue.is_busy(job.id), "the worker has said so, and has not ended yet"

    bench.launcher.dead.add(job.id)
    assert not bench.queue.is_busy(job.id)


def test_a_dead_worker_makes_its_job_lost_and_its_scratch_is_cleared(bench: Bench):
    job = bench.queue.submit(BUILD)
    bench.launcher.dead.add(job.id)

    bench.queue.tend()

    lost = bench.log.get(job.id)
    assert lost.state is JobState.LOST
    assert "SIGKILL" in lost.error
    assert bench.cleared == [job.id]


def test_a_dead_worker_whose_log_says_why_makes_its_job_failed_with_the_cause(tmp_path: Path):
    log, launcher = SqliteJobLog(tmp_path / "jobs.sqlite"), StillLauncher()
    words = ("Memory ran out.", "Use smaller shapes.")
    queue = JobQueue(log, launcher, max_workers=2, last_words=lambda _: words)
    job = queue.submit(BUILD)
    log.heartbeat(job.id, Progress(phase="Timing tactics"))
    launcher.dead.add(job.id)

    queue.tend()

    failed = log.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error.startswith("Memory ran out. The worker died: ")
    assert failed.error.endswith("SIGKILL while it was at: Timing tactics.")
    assert failed.remedy == "Use smaller shapes."
    assert type(error_of(failed)) is JobFailed


def test_a_worker_that_finished_just_before_it_was_missed_keeps_its_own_word(bench: Bench):
    job = bench.queue.submit(BUILD)
    seen = bench.log.get(job.id)
    bench.log.move(job.id, JobState.SUCCEEDED)
    bench.launcher.dead.add(job.id)

    bench.queue._look_after(seen)

    assert bench.state(job) is JobState.SUCCEEDED


def test_a_silent_worker_is_ended_and_lost(bench: Bench):
    job = bench.queue.submit(BUILD)
    bench.now[0] += 59
    bench.queue.tend()
    assert bench.state(job) is JobState.RUNNING

    bench.now[0] += 2
    bench.queue.tend()

    assert bench.state(job) is JobState.LOST
    assert bench.launcher.killed == [job.id]


def test_cancelling_a_queued_job_is_immediate(bench: Bench):
    *_, third = (bench.queue.submit(BUILD) for _ in range(3))

    assert bench.queue.cancel(third.id).state is JobState.CANCELLED


def test_a_running_job_is_asked_then_ended_after_the_grace(bench: Bench):
    job = bench.queue.submit(BUILD)
    assert bench.queue.cancel(job.id).state is JobState.RUNNING
    assert bench.log.heartbeat(job.id), "the worker hears of it"

    bench.now[0] += 4
    bench.queue.tend()
    assert bench.state(job) is JobState.RUNNING
    bench.now[0] += 2
    bench.queue.tend()

    assert bench.state(job) is JobState.CANCELLED
    assert bench.launcher.killed == [job.id]
    assert bench.cleared == [job.id]


def test_two_browsers_cancelling_one_job_change_nothing_twice(bench: Bench):
    job = bench.queue.submit(BUILD)
    first = bench.queue.cancel(job.id)
    bench.now[0] += 1

    assert bench.queue.cancel(job.id).cancel_asked_at == first.cancel_asked_at
    bench.log.move(job.id, JobState.CANCELLED)
    assert bench.queue.cancel(job.id).state is JobState.CANCELLED


def test_ended_states_never_move_again():
    job = Job(id="j-1", kind=JobKind.BUILD, title="t", request={})
    for state in JobState:
        for target in JobState:
            moved = replace(job, state=state)
            if target in MOVES[state]:
                assert moved.moved_to(target, at=1.0).state is target
            else:
                with pytest.raises(JobError, match=state.value):
                    moved.moved_to(target, at=1.0)


def test_every_job_survives_many_writers_at_once(tmp_path: Path):
    path = tmp_path / "jobs.sqlite"
    SqliteJobLog(path)

    def write(number: int) -> None:
        log = SqliteJobLog(path)
        for step in range(10):
            log.add(replace(BUILD, id=f"j-{number}-{step}", created_at=float(step)))
            log.move(f"j-{number}-{step}", JobState.RUNNING)
            log.heartbeat(f"j-{number}-{step}", Progress(phase="x", fraction=0.5))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    jobs = SqliteJobLog(path).jobs(limit=1000)
    assert len(jobs) == 80
    assert all(job.progress.fraction == 0.5 for job in jobs)


def test_two_queues_never_start_one_job_twice(tmp_path: Path):
    log = SqliteJobLog(tmp_path / "jobs.sqlite")
    for number in range(20):
        log.add(replace(BUILD, id=f"j-{number}", created_at=float(number)))
    launchers = [StillLauncher() for _ in range(4)]
    queues = [JobQueue(log, launcher, max_workers=20) for launcher in launchers]
    threads = [threading.Thread(target=queue.tend) for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    started = [job for launcher in launchers for job in launcher.launched]
    assert sorted(started) == sorted(f"j-{number}" for number in range(20))


@pytest.mark.parametrize(
    ("state", "kind", "expected"),
    [
        (JobState.FAILED, "JobFailed", JobFailed),
        (JobState.FAILED, "UnreadableModel", UnreadableModel),
        (JobState.FAILED, "SomethingForeign", JobFailed),
        (JobState.LOST, "", JobLost),
        (JobState.CANCELLED, "", JobCancelled),
    ],
)
def test_the_error_of_an_ended_job_is_of_the_kind_that_ended_it(state: JobState, kind: str, expected: type):
    ended = replace(BUILD, state=state, error="why", error_kind=kind)

    assert type(error_of(ended)) is expected


def test_an_unknown_job_is_not_found(bench: Bench):
    with pytest.raises(NotFound):
        bench.log.get("j-000000000000")
