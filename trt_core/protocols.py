"""What the core wants from outside, and what is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trt_core.domain.artifacts import Artifact, ArtifactKind
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions, EngineRecord, Sm
from trt_core.domain.findings import Finding
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Job, JobState, Progress
from trt_core.domain.latency import LatencyRequest, Measured
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, TensorRange
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.support import SupportReport
from trt_core.domain.tensors import TensorSpec

Array = npt.NDArray[np.generic]
Feeds = Mapping[str, Array]
Clock = Callable[[], float]


class Reporter(Protocol):
    """Where a use case says how far it is; `check` raises JobCancelled once somebody asked to stop."""

    def progress(self, progress: Progress) -> None:
        """Say how far the work is."""

    def log(self, text: str) -> None:
        """Add lines to the job's log."""

    def check(self) -> None:
        """Raise JobCancelled when the job was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class CalibrationInput:
    """What implicit calibration needs.

    `batches` gives the samples, `data_sha256` names them: a cache is used again for the same file, data and method.
    `ranges`, where given, are taken as they are and no data are run; so is `cache`, a calibration cache's text.
    """

    batches: Callable[[int], Iterator[Feeds]]  # samples in one batch -> every batch of the data
    data_sha256: str
    method: CalibrationMethod
    ranges: tuple[TensorRange, ...] = ()
    cache: str = ""


@dataclass(frozen=True, kw_only=True)
class CompileInput:
    """What a compiler gets: a file to build and how.

    `rest` is what layers without Q/DQ or ranges may run in where types are weak (TensorRT 8.6, and 10 with implicit
    calibration); `keep` names nodes of the file that must not run below a precision there.
    """

    onnx_path: Path
    target: Sm | None
    profiles: tuple[OptimizationProfile, ...]
    options: BuilderOptions
    rest: Precision = Precision.FP32
    keep: tuple[KeepRule, ...] = ()
    calibration: CalibrationInput | None = None


@dataclass(frozen=True, kw_only=True)
class CompileOutput:
    """What a compiler gives: the engine's bytes, its record, and how long parse and build took."""

    engine: memoryview
    record: EngineRecord
    log: str
    parse_seconds: float
    build_seconds: float
    backend_version: str
    findings: tuple[Finding, ...] = ()
    calibration_cache: str = ""  # of implicit calibration, as the library writes it
    ranges: tuple[TensorRange, ...] = ()  # decoded from that cache


class Compiler(Protocol):
    """A library that parses ONNX and builds engines.

    `support` and `build` run native code: they belong into a worker process.
    """

    name: str
    default_target: Sm | None  # None: the GPU of this machine

    def version(self) -> str:
        """The installed version, without loading the library; empty where it is not installed."""

    def stamp(self, target: Sm | None) -> str:
        """The sentence that says whose plan an engine's record is."""

    def check_target(self, target: Sm | None) -> None:
        """Raise UnsupportedRequest for an architecture that it does not build for."""

    def capabilities(self) -> Capabilities:
        """What it can do on this machine."""

    def support(self, onnx_path: Path, graph: Graph, *, target: Sm | None, reporter: Reporter) -> SupportReport:
        """Ask the parser about every node."""

    def build(self, request: CompileInput, *, reporter: Reporter) -> CompileOutput:
        """Build an engine; raises ParseFailed, BuildFailed, JobCancelled or UnsupportedRequest."""


class Session(Protocol):
    """A model that is loaded and can be run."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    device: str
    version: str

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run once; `outputs` None means all, in order."""


class Runner(Protocol):
    """A library that runs models."""

    name: str

    def capabilities(self) -> Capabilities:
        """What it can do on this machine."""

    def load(
        self, onnx_path: Path, *, extra_outputs: Sequence[str] = (), optimize: bool = True, threads: int = 0
    ) -> Session:
        """Load a file; `extra_outputs` are inner tensors to hand back as well."""


class Meter(Protocol):
    """A library that can be timed."""

    name: str

    def check(self) -> None:
        """Raise DependencyMissing or GpuUnavailable where it cannot measure; nothing native may be loaded for it."""

    def measure(self, path: Path, feeds: Feeds, request: LatencyRequest, *, reporter: Reporter) -> Measured:
        """Load a file, warm up, and keep every sample; call it where nothing else uses the device."""


class ArtifactStore(Protocol):
    """Immutable folders by id, and one plain record for each."""

    def put(
        self,
        kind: ArtifactKind,
        artifact_id: str,
        record: object,
        files: Mapping[str, Path | bytes | memoryview],
        *,
        parents: Sequence[str] = (),
        move: bool = False,
        hashes: Mapping[str, str] | None = None,
    ) -> Artifact:
        """Write aside, then rename into place; an id that is there already is returned as it is."""

    def has(self, artifact_id: str) -> bool:
        """True when it is there."""

    def path(self, artifact_id: str, filename: str) -> Path:
        """A file of an artifact; ArtifactNotFound or NotFound when it is not there."""

    def artifact(self, artifact_id: str) -> Artifact:
        """The manifest."""

    def record(self, artifact_id: str) -> dict[str, object]:
        """The plain record that was put with it."""

    def scratch_folder(self) -> Path:
        """A fresh folder on the same file system; the caller removes it."""

    def check_room(self, incoming: int) -> None:
        """Raise QuotaExceeded when that many bytes more do not fit."""

    def ids(self, kind: ArtifactKind, *, parent: str | None = None) -> list[str]:
        """Ids of that kind, newest first; with `parent`, only its descendants of the first degree."""

    def descendants(self, artifact_id: str) -> list[str]:
        """Ids of everything that has this one among its ancestors."""

    def delete(self, artifact_id: str) -> int:
        """Delete with all that descends from it; the bytes freed."""

    def used_bytes(self) -> int:
        """What the workspace holds."""


class JobLog(Protocol):
    """Where jobs are kept. Every state change goes through it, atomically."""

    def add(self, job: Job) -> None:
        """Keep a new job."""

    def get(self, job_id: str) -> Job:
        """The job; NotFound otherwise."""

    def jobs(self, *, states: Sequence[JobState] = (), limit: int = 200) -> list[Job]:
        """Jobs, newest first."""

    def move(self, job_id: str, state: JobState, **changes: object) -> Job:
        """Move a job along the table and change other fields with it."""

    def change(self, job_id: str, **changes: object) -> Job:
        """Change fields other than the state."""

    def heartbeat(self, job_id: str, progress: Progress | None = None) -> bool:
        """Say that the worker lives; True when cancellation was asked for."""

    def forget(self, job_ids: Sequence[str]) -> None:
        """Drop jobs that have ended; one that has not, or is not there, is left alone."""

    def request_cancel(self, job_id: str) -> Job:
        """Ask a job to stop; asking twice, or a job that has ended, changes nothing."""

    def start_next(self, *, max_workers: int) -> Job | None:
        """Move the oldest queued job that may run now to running, honouring exclusive use; None when none may."""


class Launcher(Protocol):
    """Starts and ends worker processes."""

    def launch(self, job: Job) -> int:
        """Start a process for a job; its pid."""

    def is_alive(self, job: Job) -> bool:
        """True while the job's process lives."""

    def kill(self, job: Job) -> None:
        """End the job's process group."""

    def exit_text(self, job: Job) -> str:
        """How the job's process ended, in words."""


SampleBatches = Callable[[], Iterator[Feeds]]  # each call starts again from the first sample

__all__ = [
    "Array",
    "ArtifactStore",
    "CalibrationInput",
    "Clock",
    "CompileInput",
    "CompileOutput",
    "Compiler",
    "Feeds",
    "JobLog",
    "Launcher",
    "Meter",
    "Reporter",
    "Runner",
    "SampleBatches",
    "Session",
]
