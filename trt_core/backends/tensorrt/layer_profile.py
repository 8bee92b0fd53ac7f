"""The time of each engine layer, from a run of its own: asking for it serialises what otherwise overlaps."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

from trt_core.backends.tensorrt.cuda import Event, elapsed_ms
from trt_core.backends.tensorrt.native import library
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.domain.findings import Finding, Severity

RUNS = 50


def profile_layers(
    session: TrtSession, kinds: dict[str, str], *, median_ms: float
) -> tuple[tuple[tuple[str, str, float], ...], Finding]:
    """(layer, kind, mean ms) in execution order over RUNS inferences of a bound session, and what asking for it cost.

    `kinds` are layer types by name; `median_ms` is the inference without a profiler.
    """
    profiler = _profiler_class(library())()
    context = session.context
    context.profiler = profiler
    start, end = Event(), Event()
    try:
        taken = []
        for _ in range(RUNS):
            start.record(session.stream)
            session.enqueue()
            end.record(session.stream)
            session.stream.synchronize()
            taken.append(elapsed_ms(start, end))
    finally:
        context.profiler = None
        start.close()
        end.close()
    rows = tuple((name, kinds.get(name, ""), fmean(times)) for name, times in profiler.times.items())
    return rows, _overhead(sum(time for _, _, time in rows), float(np.median(taken)), median_ms)


def _overhead(total_ms: float, profiled_ms: float, median_ms: float) -> Finding:
    return Finding(
        rule="layer-profile-overhead",
        severity=Severity.NOTE,
        message=f"The layers sum to {total_ms:.3g} ms; an inference takes {median_ms:.3g} ms, {profiled_ms:.3g} ms "
        "while it is profiled.",
        remedy="Read the layers' shares, not their times.",
    )


@cache
def _profiler_class(trt: Any) -> Any:
    class Profiler(trt.IProfiler):  # type: ignore[misc,name-defined,unused-ignore]
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.times: dict[str, list[float]] = defaultdict(list)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.times[layer_name].append(ms)

    return Profiler
