"""Timed inferences of bound sessions: events around the work, nothing else between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from trt_core.backends.host_clock import no_garbage_collection
from trt_core.backends.tensorrt.cuda import Event, Graph, call, check, elapsed_ms, runtime
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError
from trt_core.protocols import Reporter

WARMUP_NS = 200_000_000  # trtexec's default: warm-up is counted in time
_REPORT_NS = 200_000_000
_TRANSFERS = 50
_NS_A_MS = 1e6


@dataclass(kw_only=True)
class Timed:
    """Times in ms, in the order taken. `graph_refused` is why no CUDA graph was made although one was asked for."""

    compute: list[float] = field(default_factory=list)
    enqueue: list[float] = field(default_factory=list)
    warmup: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    used_graph: bool = False
    graph_refused: str = ""


def time_inferences(sessions: Sequence[TrtSession], request: LatencyRequest, reporter: Reporter) -> Timed:
    """Warm up, then time `request.iterations` inferences and go on until `request.duration_s` has passed.

    A sample is the time between two events around the enqueue, on the session's stream, with the copies to the GPU and
    back between them where the request wants them; each ends before the next one of its stream begins. With several
    sessions one inference on each runs at the same time.
    """
    with ExitStack() as stack:
        lanes = [_Lane(session, stack, with_copies=request.transfers) for session in sessions]
        timed = Timed()
        _round(lanes)  # the first enqueue after new shapes is slow
        if request.cuda_graph:
            timed.graph_refused = _capture(lanes)
            timed.used_graph = not timed.graph_refused
        with no_garbage_collection():
            reporter.check()
            _warm_up(lanes, request, timed)
            reporter.check()
            _measure(lanes, request, timed, reporter)
    return timed


class _Lane:
    """A session, its events, and the call that enqueues it without a detour."""

    def __init__(self, session: TrtSession, stack: ExitStack, *, with_copies: bool = False) -> None:
        self.session = session
        self._with_copies = with_copies
        self.start, self.end = stack.enter_context(Event()), stack.enter_context(Event())
        self._stack = stack
        self.launch = self._plain()
        self.enqueue_ns = 0

    def _plain(self) -> Callable[[], None]:
        execute, number = self.session.context.execute_async_v3, self.session.stream.number

        def launch() -> None:
            if not execute(number):
                raise BackendError("TensorRT refused to run the engine.", remedy="Look at the job's log.")

        return launch

    def capture(self) -> None:
        """Launch a graph from now on."""
        graph = self._stack.enter_context(Graph(self.session.stream, self.session.enqueue))
        function, executable, stream = runtime().cudaGraphLaunch, graph.handle, self.session.stream.handle

        def launch() -> None:
            (status,) = function(executable, stream)
            check(status, "cudaGraphLaunch")

        self.launch = launch

    def begin(self) -> None:
        """Put an inference between two events on the stream."""
        stream = self.session.stream.handle
        record, clock = runtime().cudaEventRecord, time.perf_counter_ns
        (status,) = record(self.start.handle, stream)
        check(status, "cudaEventRecord")
        if self._with_copies:
            self.session.upload()
        began = clock()
        self.launch()
        self.enqueue_ns = clock() - began
        if self._with_copies:
            self.session.download()
        (status,) = record(self.end.handle, stream)
        check(status, "cudaEventRecord")

    def finish(self) -> float:
        """Wait for it; its time in ms."""
        call("cudaEventSynchronize", self.end.handle)
        return elapsed_ms(self.start, self.end)


def _round(lanes: Sequence[_Lane]) -> list[float]:
    for lane in lanes:
        lane.begin()
    return [lane.finish() for lane in lanes]


def _capture(lanes: Sequence[_Lane]) -> str:
    """Make CUDA graphs; why not, where an engine cannot be captured."""
    if any(lane.session.has_growing_outputs for lane in lanes):
        return "the size of an output depends on the data"
    for lane in lanes:
        lane.session.stream.synchronize()
    try:
        for lane in lanes:
            lane.capture()
    except BackendError as error:
        return error.message
    return ""


def _warm_up(lanes: Sequence[_Lane], request: LatencyRequest, timed: Timed) -> None:
    began = time.perf_counter_ns()
    while len(timed.warmup) < request.warmup or time.perf_counter_ns() - began < WARMUP_NS:
        timed.warmup += _round(lanes)


def _measure(lanes: Sequence[_Lane], request: LatencyRequest, timed: Timed, reporter: Reporter) -> None:
    began = told = time.perf_counter_ns()
    while True:
        timed.compute += _round(lanes)
        timed.enqueue += [lane.enqueue_ns / _NS_A_MS for lane in lanes]
        now = time.perf_counter_ns()
        if len(timed.compute) >= request.iterations and now - began >= request.duration_s * 1e9:
            timed.wall_s = (now - began) / 1e9
            return
        if now - told > _REPORT_NS:
            told = now
            reporter.check()
            share = min(len(timed.compute) / request.iterations, 1.0)
            reporter.progress(Progress(phase="measure", fraction=share, step=len(timed.compute)))


def time_transfers(session: TrtSession) -> tuple[float, float]:
    """Medians in ms of copying the inputs to the GPU and the outputs back, from pinned memory."""
    with Event() as first, Event() as second:
        medians = []
        for copy in (session.upload, session.download):
            taken = []
            for _ in range(_TRANSFERS):
                first.record(session.stream)
                copy()
                second.record(session.stream)
                session.stream.synchronize()
                taken.append(elapsed_ms(first, second))
            medians.append(float(np.median(taken)))
    return medians[0], medians[1]
