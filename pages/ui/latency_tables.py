"""Rows of the latency page's tables: runs, percentiles under both rules, every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.ui import text
from pages.ui.latency_runs import RunView, backend_title, shapes_text, threads_text
from pages.ui.once import once
from trt_core.analysis.latency import P99_9_SAMPLES
from trt_core.analysis.latency_pictures import percentile_rows

_rows = once(24)(percentile_rows)


def estimate(value_ms: float | None, bounds: tuple[float, float] | None) -> str:
    """`0.164 ms (0.163–0.165)`; the unit again where a bound has another one."""
    said = text.milliseconds(value_ms)
    if bounds is None or value_ms is None:
        return said
    low, high = (text.milliseconds(bound) for bound in bounds)
    unit = said.rpartition(" ")[2]
    if low.endswith(f" {unit}") and high.endswith(f" {unit}"):
        return f"{said} ({low.removesuffix(f' {unit}')}–{high.removesuffix(f' {unit}')})"
    return f"{said} ({low}–{high})"


def first_ms(view: RunView) -> float | None:
    """The first warm-up inference in ms, None where there was no warm-up."""
    return view.run.warmup_ms[0] if view.run.warmup_ms else None


def summary_rows(views: Sequence[RunView]) -> list[dict[str, Any]]:
    """One row a run."""
    return [
        {
            "run": view.name,
            "p50 (95 %)": estimate(view.summary.p50_ms, view.summary.p50_ci95_ms),
            "p99 (95 %)": estimate(view.summary.p99_ms, view.summary.p99_ci95_ms),
            "throughput, /s": text.figure(view.summary.throughput_per_s),
            "cold start": text.milliseconds(first_ms(view)),
            "samples": view.summary.count,
            "input": shapes_text(view.run.conditions),
            "threads": threads_text(view.run.conditions),
            "measured at": text.clock(view.run.created_at),
            "id": view.run.id,
        }
        for view in views
    ]


def percentile_table(views: Sequence[RunView]) -> list[dict[str, Any]]:
    """Percentiles under both rules, with intervals, and how many samples lie beyond."""
    return [
        {
            "run": view.name,
            "percentile": f"p{row.percentile:g}",
            "interpolated": f"too few samples: from {P99_9_SAMPLES:,} on"
            if row.interpolated_ms is None
            else text.milliseconds(row.interpolated_ms),
            "95 % interval": estimate_interval(row.ci95_ms),
            "95 % by bootstrap": estimate_interval(row.bootstrap_ci95_ms),
            "trtexec's rule": text.milliseconds(row.trtexec_ms),
            "samples beyond": row.beyond,
            "of": view.summary.count,
        }
        for view in views
        for row in _rows(view.run.samples_ms)
    ]


def estimate_interval(bounds: tuple[float, float] | None) -> str:
    """`0.163 ms – 0.165 ms`, or that there is none."""
    return "no interval" if bounds is None else " – ".join(text.milliseconds(bound) for bound in bounds)


def sample_rows(views: Sequence[RunView]) -> list[dict[str, Any]]:
    """One row an inference."""
    rows = []
    for view in views:
        conditions = view.run.conditions
        known = {
            "device": conditions.device,
            "backend": backend_title(conditions),
            "input": shapes_text(conditions),
            "threads": conditions.threads,
            "streams": conditions.streams,
        }
        for phase, values in (("warm-up", view.run.warmup_ms), ("sample", view.run.samples_ms)):
            rows += [
                {"run": view.run.id, "subject": view.run.label, "phase": phase, "number": number, "ms": value} | known
                for number, value in enumerate(values, start=1)
            ]
    return rows
