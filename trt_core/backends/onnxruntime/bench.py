"""Latency of ONNX Runtime: every sample kept, nothing but the inference inside the timed part."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from trt_core.backends.onnxruntime.runner import OrtSession
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyConditions, LatencyRequest
from trt_core.protocols import Feeds, Reporter

_REPORT_NS = 200_000_000
_NS_A_MS = 1e6
Inference = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Host wall time of each inference in ms, in the order taken (stream by stream where there are several).

    `wall_s` runs from the start of the first sample to the end of the last one, over all streams.
    """

    samples_ms: tuple[float, ...]
    warmup_ms: tuple[float, ...]
    wall_s: float
    conditions: LatencyConditions


def measure(session: OrtSession, feeds: Feeds, request: LatencyRequest, reporter: Reporter) -> Measurement:
    """Time `request.iterations` inferences, and go on until `request.duration_s` has passed, too.

    Inputs and outputs are bound beforehand, the garbage collector rests, and progress is told between samples, at most
    five times a second. With several streams, as many threads run at once and share the iterations. Raises
    JobCancelled, InvalidData and BackendError.
    """
    conditions = _conditions(session, feeds, request)
    calls = [session.bound(feeds) for _ in range(request.streams)]
    pace = _Pace(request, reporter)
    with _no_garbage_collection():
        warmup = _warm_up(calls, pace)
        began = time.perf_counter_ns()
        if request.streams == 1:
            samples, ended = _one_stream(calls[0], pace, began)
        else:
            samples, ended = _many_streams(calls, pace, began)
    return Measurement(
        samples_ms=tuple(value / _NS_A_MS for value in samples),
        warmup_ms=tuple(value / _NS_A_MS for value in warmup),
        wall_s=(ended - began) / 1e9,
        conditions=conditions,
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


def _warm_up(calls: list[Inference], pace: _Pace) -> list[int]:
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


def _many_streams(calls: list[Inference], pace: _Pace, began: int) -> tuple[list[int], int]:
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
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _conditions(session: OrtSession, feeds: Feeds, request: LatencyRequest) -> LatencyConditions:
    shapes = tuple((spec.name, tuple(feeds[spec.name].shape)) for spec in session.inputs if spec.name in feeds)
    streams = "one stream" if request.streams == 1 else f"{request.streams} threads that run at once"
    return LatencyConditions(
        device=session.device,
        backend="ort",
        backend_version=session.version,
        method=(
            f"Host wall time of one ONNX Runtime inference on {session.device}, inputs and outputs bound beforehand, "
            f"{streams}, after {request.warmup} warm-up runs that are kept apart. This is no TensorRT latency."
        ),
        shapes=shapes,
        batch=next((shape[0] for _, shape in shapes if shape), 1),
        threads=request.threads,
        warmup=request.warmup,
        streams=request.streams,
        load_before=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )
