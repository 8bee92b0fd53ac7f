"""Engines that were recorded elsewhere: their layers, times, samples and tactics, without the engine itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from trt_core.domain.engine import EngineRecord
from trt_core.domain.findings import Finding
from trt_core.domain.precision import Precision
from trt_core.domain.tactics import Tuning


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What an inspector's dump says of one layer beside the engine's record.

    `macs` are multiply-accumulates of one inference at the recorded shapes; None where there are none to count or the
    dump does not say enough. `origin` is the builder's word for why a reformat exists (REFORMAT, CAST, QDQ).
    """

    name: str
    tactic: str = ""
    origin: str = ""
    macs: int | None = None
    weight_bytes: int = 0
    has_dynamic_bias: bool = False  # the bias comes from another layer, not from a constant


@dataclass(frozen=True, kw_only=True)
class RunConditions:
    """How trtexec ran an engine. `source` says whether that was read or is what its version does by default."""

    version: str
    cuda_graph: bool
    transfers: bool
    spin_wait: bool
    separate_profile: bool
    source: str
    streams: int = 1

    @property
    def sentence(self) -> str:
        """`CUDA graph off, copies in the loop, blocking wait, one stream (…)`."""
        words = [
            f"CUDA graph {'on' if self.cuda_graph else 'off'}",
            "copies in the loop" if self.transfers else "no copies",
            "spin-wait" if self.spin_wait else "blocking wait",
            "one stream" if self.streams == 1 else f"{self.streams} streams",
        ]
        return f"{', '.join(words)} ({self.source})"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One stored recording. Times are ms; what the files did not hold is None, 0 or empty.

    `project` groups recordings of one model. `asked` is the precision that the file's name stands for, not what ran.
    """

    id: str
    project: str
    name: str
    created_at: float
    source: str  # what wrote the files
    asked: Precision = Precision.UNKNOWN
    device: str = ""
    version: str = ""
    batch: int = 0
    layer_count: int = 0
    precisions: tuple[tuple[str, int], ...] = ()
    p50_ms: float | None = None
    graph_p50_ms: float | None = None
    enqueue_ms: float | None = None
    build_s: float | None = None
    device_bytes: int | None = None
    sample_count: int = 0
    timing_count: int = 0
    has_layer_times: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IntakeSpec:
    """Recordings to take in: files that were handed over, or without `intake_id` those that come with the samples.

    `engine` and `against` name the recordings to open afterwards.
    """

    intake_id: str = ""
    device: str = ""
    version: str = ""
    engine: str = ""
    against: str = ""


@dataclass(frozen=True, kw_only=True)
class EngineStudy:
    """Everything known of one engine, recorded or built here.

    `facts` and `times_ms` stand in the order of `record.layers`; a time is the mean of a profiled run, in which every
    layer waits for the one before. `total_ms` is the median of runs without a profiler. `stamp` says under which
    conditions all of it was taken.
    """

    id: str
    title: str
    project: str
    stamp: str
    record: EngineRecord
    asked: Precision = Precision.UNKNOWN
    device: str = ""
    batch: int = 0
    facts: tuple[LayerFacts, ...] = ()
    times_ms: tuple[float | None, ...] = ()
    total_ms: float | None = None
    graph_ms: float | None = None
    enqueue_ms: float | None = None
    device_bytes: int | None = None
    samples_ms: tuple[float, ...] = ()
    tuning: Tuning | None = None
    said: tuple[str, ...] = ()  # the builder's own warnings and errors
    run: RunConditions | None = None  # of trtexec, where its version is known
    scratch: tuple[tuple[str, int], ...] = ()  # (layer or compiled block, bytes of workspace), as the builder said
    largest_batch: int = 0  # of the profiles; 0 where it is not known
    calibration_cache: str = ""  # as the library wrote it; empty where nothing was calibrated

    @cached_property
    def has_times(self) -> bool:
        """True when a layer has a time."""
        return any(time is not None for time in self.times_ms)

    @property
    def workspace_bytes(self) -> int | None:
        """The most that one layer asks for; layers run in turn and share it. None where the log does not say."""
        return max((size for _, size in self.scratch), default=None)

    @cached_property
    def layers_ms(self) -> float:
        """The sum over the layers of a profiled run."""
        return sum(time or 0.0 for time in self.times_ms)
