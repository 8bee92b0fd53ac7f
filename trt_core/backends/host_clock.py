"""The host's clock around calls: every sample kept, nothing but the call inside the timed part."""

from __future__ import annotations

import gc
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyRequest
from trt_core.protocols import Reporter

_REPORT_NS = 200_000_000
_NS_A_MS = 1e6
Inference = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Clocked:
    """Host wall time of each call in ms, in the order taken (stream by stream where there are several).

    `wall_s` runs from the start of the first sample to the end of the last one, over all streams.
    """

    samples_ms: tuple[float, ...]
    warmup_ms: tuple[float, ...]
    wall_s: float


def clocked(calls: Sequence[Inference], request: LatencyRequest, reporter: Reporter) -> Clocked:
    """Time `request.iterations` calls, and go on until `request.duration_s` has passed, too.

    `calls` holds one call a stream; with several, as many threads run at once and share the iterations. The garbage
    collector rests, and progress is told between samples, at most five times a second. Raises JobCancelled, and
    whatever a call raises.
    """
    pace = _Pace(request, reporter)
    with no_garbage_collection():
        warmup = _warm_up(calls, pace)
        began = time.perf_counter_ns()
        samples, ended = _one_stream(calls[0], pace, began) if len(calls) == 1 else _many_streams(calls, pace, began)
    return Clocked(
        samples_ms=tuple(value / _NS_A_MS for value in samples),
        warmup_ms=tuple(value / _NS_A_MS for value in warmup),
        wall_s=(ended - began) / 1e9,
    )


@dataclass
class _Pace:
    """When a run is done, and when it is time to say so."""

    request: LatencyRequest
    reporter: Reporter
    told_ns: int = field(default_factory=time.perf_counter_ns)

    def is_done(self, count: int, passed_ns: int) -> bool:
        enough = -(-self.request.iterations // self.request.streams)
        return count >= enough and passed_ns >= self.request.duration_s * 1e9

    def tell(self, phase: str, done: int, total: int, now_ns: int, share: float | None = None) -> None:
        if now_ns - self.told_ns < _REPORT_NS:
            return
        self.told_ns = now_ns
        self.reporter.check()
        fraction = min(1.0, done / max(total, 1) if share is None else share)
        self.reporter.progress(Progress(phase=phase, fraction=fraction, step=done, steps=max(done, total)))

    def share(self, count: int, passed_ns: int) -> float:
        """The share of the work done: of the two conditions, the one that is further from being met."""
        by_count = count / self.request.iterations
        by_time = passed_ns / (self.request.duration_s * 1e9) if self.request.duration_s else 1.0
        return min(by_count, by_time)


def _warm_up(calls: Sequence[Inference], pace: _Pace) -> list[int]:
    pace.reporter.check()
    taken: list[int] = []
    for number in range(pace.request.warmup):
        call = calls[number % len(calls)]
        start = time.perf_counter_ns()
        call()
        end = time.perf_counter_ns()
        taken.append(end - start)
        pace.tell("warm-up", len(taken), pace.request.warmup, end)
    pace.reporter.check()
    return taken


def _one_stream(call: Inference, pace: _Pace, began: int) -> tuple[list[int], int]:
    clock = time.perf_counter_ns
    taken: list[int] = []
    while True:
        start = clock()
        call()
        end = clock()
        taken.append(end - start)
        if pace.is_done(len(taken), end - began):
            return taken, end
        pace.tell("measure", len(taken), pace.request.iterations, end, pace.share(len(taken), end - began))


def _many_streams(calls: Sequence[Inference], pace: _Pace, began: int) -> tuple[list[int], int]:
    stop = threading.Event()
    taken: list[list[int]] = [[] for _ in calls]
    failures: list[BaseException] = []

    def stream(call: Inference, samples: list[int]) -> None:
        try:
            while not stop.is_set():
                start = time.perf_counter_ns()
                call()
                end = time.perf_counter_ns()
                samples.append(end - start)
                if pace.is_done(len(samples), end - began):
                    return
        except BaseException as error:  # noqa: BLE001  raised again by the thread that started this one
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=stream, args=pair) for pair in zip(calls, taken, strict=True)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                now, count = time.perf_counter_ns(), sum(map(len, taken))
                pace.tell("measure", count, pace.request.iterations, now, pace.share(count, now - began))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    ended = time.perf_counter_ns()
    if failures:
        raise failures[0]
    return [value for samples in taken for value in samples], ended


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect now, and not again before the block ends: a collection in a sample would be measured with it."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def processor_text(threads: int) -> str:
    """`Intel Xeon Gold 6130 (8 logical CPUs), 4 threads`: the processor that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen = f"{threads} thread{'s' if threads > 1 else ''}" if threads else "default threads"
    return f"{_cpu_name()} ({usable} logical CPUs), {chosen}"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
