"""Latency runs: every sample kept, with the conditions that made it."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.findings import Finding
from trt_core.errors import InvalidInput

# A measurement has its device alone and keeps every sample: neither may go on for ever.
MOST_SAMPLES = 10_000_000
LONGEST_S = 3_600.0
MOST_THREADS = 1_024


# What can be timed, by the name that a request gives it.
METERS: dict[str, str] = {
    "ort": "ONNX Runtime",
    "ort-cuda": "ONNX Runtime on CUDA",
    "pytorch": "PyTorch",
    "pytorch-cuda": "PyTorch on CUDA",
    "tensorrt": "TensorRT",
}
ON_HOST = frozenset({"ort", "pytorch"})  # these compute in host memory: nothing is copied


@dataclass(frozen=True, kw_only=True)
class LatencyRequest:
    """How to measure one file. `shapes` fixes every input; a run ends once `iterations` and `duration_s` are done."""

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    warmup: int = 50
    iterations: int = 1000
    duration_s: float = 0.0
    streams: int = 1
    threads: int = 0  # 0: the library's own choice
    cuda_graph: bool = False
    profile_layers: bool = True  # time each node in a separate run
    transfers: bool = False  # copies to the device and back belong to every sample

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.warmup < 0 or not self.duration_s >= 0 or self.streams < 1 or self.threads < 0:
            raise InvalidInput(
                f"iterations {self.iterations}, warm-up {self.warmup}, duration {self.duration_s} s, "
                f"streams {self.streams}, threads {self.threads}.",
                remedy="Ask for at least one iteration and one stream, and no negative number.",
            )
        for name, asked, most in (
            ("iterations", self.iterations, MOST_SAMPLES),
            ("warm-up runs", self.warmup, MOST_SAMPLES),
            ("seconds", self.duration_s, LONGEST_S),
            ("streams", self.streams, MOST_THREADS),
            ("threads", self.threads, MOST_THREADS),
        ):
            if asked > most:
                raise InvalidInput(f"{asked:g} {name} are asked for.", remedy=f"Ask for {most:,} at most.")


@dataclass(frozen=True, kw_only=True)
class LatencyConditions:
    """What a number is worth nothing without. `method` is one readable sentence."""

    device: str
    backend: str
    backend_version: str
    method: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    batch: int
    threads: int
    warmup: int
    streams: int = 1
    cuda_graph: bool = False
    includes_transfers: bool = False
    load_before: float | None = None  # the machine's one-minute load average when it began


@dataclass(frozen=True, kw_only=True)
class GpuSample:
    """The GPU at one moment of a run, `at_s` after its first sample; None where the driver does not say.

    `other_processes` counts processes beside ours that hold memory on it, `held_back_by` says what keeps its clocks
    below what they could be (power limit, temperature ...).
    """

    at_s: float
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    temperature_c: int | None = None
    power_w: float | None = None
    other_processes: int | None = None
    held_back_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a meter gives: the time of every inference in ms, in the order taken, and under which conditions.

    TensorRT's is the time between two events on the GPU, all others are host wall time. Transfers are left out unless
    the conditions say that they are included.
    """

    samples_ms: tuple[float, ...]
    warmup_ms: tuple[float, ...]
    wall_s: float
    conditions: LatencyConditions
    layers: tuple[tuple[str, str, float], ...] = ()  # (node, op, mean ms) from a separate profiled run
    enqueue_ms: float | None = None
    h2d_ms: float | None = None
    d2h_ms: float | None = None
    gpu: tuple[GpuSample, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LatencyRun:
    """One measurement. Samples are the time of one inference in ms, in the order taken; `conditions` say which."""

    id: str
    subject_id: str
    model_id: str
    label: str
    created_at: float
    conditions: LatencyConditions
    samples_ms: tuple[float, ...]
    warmup_ms: tuple[float, ...]
    wall_s: float
    layers: tuple[tuple[str, str, float], ...] = ()  # (node, op, mean ms) from a separate profiled run
    findings: tuple[Finding, ...] = ()
    enqueue_ms: float | None = None
    h2d_ms: float | None = None
    d2h_ms: float | None = None
    gpu: tuple[GpuSample, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LatencySummary:
    """Statistics of the samples; percentiles interpolate linearly, `p99_ci95` is a distribution-free interval."""

    count: int
    min_ms: float
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    p50_ci95_ms: tuple[float, float] | None
    p99_ci95_ms: tuple[float, float] | None  # None: too few samples for an interval
    std_ms: float
    throughput_per_s: float
