"""Jobs: an immutable record and one table of allowed moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from trt_core.errors import JobError


class JobState(Enum):
    """Where a job is."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a process works on it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its process is gone without a word

    @property
    def is_terminal(self) -> bool:
        """True when nothing moves any more."""
        return not MOVES[self]


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.LOST, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.LOST}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.LOST: frozenset(),
}


class JobKind(Enum):
    """What a job does."""

    INSPECT = "inspect"
    QUANTIZE = "quantize"
    BUILD = "build"
    BENCH = "bench"
    DIVERGE = "diverge"
    TRIAGE = "triage"
    VALIDATE = "validate"
    SWEEP = "sweep"
    REBUILD = "rebuild"
    INTAKE = "intake"  # of recordings
    SENSITIVITY = "sensitivity"
    RATES = "rates"  # what the GPU reaches
    INSIDE = "inside"  # a look into an engine


class Use(Enum):
    """How a job uses its device: shared with others, or alone (every measurement)."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is: phases from the outside in, and a share of the whole where it is known."""

    phase: str = ""
    fraction: float | None = None
    step: int | None = None
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of work. Times are seconds since the epoch; `request` is the worker's input, as plain JSON values."""

    id: str
    kind: JobKind
    title: str
    request: dict[str, object]
    device: str = "cpu"
    use: Use = Use.SHARED
    state: JobState = JobState.QUEUED
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    heartbeat_at: float | None = None
    pid: int | None = None
    progress: Progress = field(default_factory=Progress)
    cancel_requested: bool = False
    cancel_asked_at: float | None = None
    result: dict[str, object] | None = None  # ids of what it made
    error: str = ""
    error_kind: str = ""  # class name from the error tree
    remedy: str = ""
    waits_for: str = ""  # why a queued job is not running yet

    def moved_to(self, state: JobState, *, at: float) -> Job:
        """The same job in another state; raises JobError for a move that the table does not have."""
        if state not in MOVES[self.state]:
            raise JobError(
                f"Job {self.id} is {self.state.value} and cannot become {state.value}.", remedy="Reload the page."
            )
        started = at if state is JobState.RUNNING else self.started_at
        return replace(self, state=state, started_at=started, ended_at=at if not MOVES[state] else None)
