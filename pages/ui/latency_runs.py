"""Latency runs as the page shows them: read once, told apart by letter, colour and dash, with their conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import text
from pages.ui.theme import PRECISION_LABELS, precision_colour
from trt_core.analysis.gpu_findings import gpu_sentence
from trt_core.domain.latency import METERS, ON_HOST, LatencyConditions, LatencyRun, LatencySummary
from trt_core.domain.precision import Precision
from trt_core.errors import NotFound
from trt_core.workbench import Workbench

MOST_RUNS = 6
LETTERS = "ABCDEF"
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "diamond", "square", "cross", "x", "triangle-up")
_SHADES = (0.0, -0.4, 0.45, -0.6, 0.65, -0.75)  # towards black and white, for further runs in one precision


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run, its statistics, and how it is drawn: precision by colour, further runs by shade, dash and symbol."""

    run: LatencyRun
    summary: LatencySummary
    precision: Precision
    letter: str
    order: int  # among the runs of its precision

    @property
    def colour(self) -> str:
        """The colour of its precision, in a shade of its own after the first run."""
        colour = precision_colour(self.precision)
        amount = _SHADES[self.order]
        end = 255 if amount > 0 else 0
        parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        return "#" + "".join(f"{round(part + (end - part) * abs(amount)):02X}" for part in parts)

    @property
    def dash(self) -> str:
        """Plotly's dash of its lines."""
        return _DASHES[self.order]

    @property
    def symbol(self) -> str:
        """Plotly's symbol of its marks."""
        return _SYMBOLS[self.order]

    @property
    def name(self) -> str:
        """`A · FP16` for ONNX Runtime on the processor, else `A · FP16 · TensorRT`: the name in every legend."""
        backend = self.run.conditions.backend
        where = "" if backend == "ort" else METERS.get(backend, backend)
        what = "" if where and self.precision is Precision.UNKNOWN else PRECISION_LABELS[self.precision]
        return " · ".join(part for part in (self.letter, what, where) if part)


def run_views(bench: Workbench, run_ids: Sequence[str]) -> list[RunView]:
    """The runs with those ids, in that order."""
    used: Counter[Precision] = Counter()
    views = []
    for letter, run_id in zip(LETTERS, run_ids, strict=False):
        run, summary = _read(bench, run_id)
        precision = run_precision(bench, run)
        views.append(RunView(run=run, summary=summary, precision=precision, letter=letter, order=used[precision]))
        used[precision] += 1
    return views


@st.cache_resource(max_entries=24, show_spinner=False)
def _read(_bench: Workbench, run_id: str) -> tuple[LatencyRun, LatencySummary]:
    """A run with every sample; runs do not change, so that each is read once."""
    return _bench.latency.run(run_id), _bench.latency.summary(run_id)


def run_precision(bench: Workbench, run: LatencyRun) -> Precision:
    """The precision of what was measured; what a PyTorch program computes in is not known."""
    return Precision.UNKNOWN if run.conditions.backend.startswith("pytorch") else _precision(bench, run.subject_id)


@st.cache_data(max_entries=256, show_spinner=False)
def _precision(_bench: Workbench, subject_id: str) -> Precision:
    """A variant's or an engine's, FP32 for a model as uploaded."""
    try:
        if subject_id.startswith("v-"):
            return _bench.variants.variant(subject_id).recipe.precision
        if subject_id.startswith("b-"):
            return _bench.builds.build(subject_id).recipe.precision
    except NotFound:
        return Precision.UNKNOWN
    return Precision.FP32


def backend_title(conditions: LatencyConditions) -> str:
    """`ONNX Runtime 1.31.1`."""
    return f"{METERS.get(conditions.backend, conditions.backend)} {conditions.backend_version}"


def no_tensorrt(conditions: LatencyConditions) -> str:
    """What a number of another backend must never be taken for."""
    return "" if conditions.backend == "tensorrt" else "no TensorRT latency"


def shapes_text(conditions: LatencyConditions) -> str:
    """`image 1 × 1 × 16 × 16`."""
    return ", ".join(f"{name} {' × '.join(map(str, shape)) or 'scalar'}" for name, shape in conditions.shapes)


def threads_text(conditions: LatencyConditions) -> str:
    """The number of threads, or whose choice it was."""
    return text.counted(conditions.threads, "thread") if conditions.threads else "threads by default"


def transfers_sentence(conditions: LatencyConditions) -> str:
    """Whether copies between host and device are in the samples, or that there are none."""
    if conditions.includes_transfers:
        return "Copies to the device and back are in every sample."
    if conditions.backend in ON_HOST:
        return "There are no copies: it computes in host memory."
    return "Copies to the device and back are left out."


def facts(view: RunView) -> dict[str, str]:
    """The conditions of a run, one a line, as plain text."""
    conditions = view.run.conditions
    load = "" if conditions.load_before is None else f", load {text.figure(conditions.load_before)} before"
    return {
        "Measured": view.run.label,
        "Device": conditions.device + load,
        **({"GPU": said} if (said := gpu_sentence(view.run.gpu)) else {}),
        "Backend": backend_title(conditions),
        "Input": f"{shapes_text(conditions)} (batch {conditions.batch})",
        "Threads": threads_text(conditions),
        "Streams": str(conditions.streams),
        "Warm-up": f"{text.counted(conditions.warmup, 'run')}, kept apart",
        "Samples": text.count(view.summary.count),
        "Transfers": transfers_sentence(conditions),
        "Method": conditions.method,
        "Measured at": text.clock(view.run.created_at),
    }


def stamp_of(views: Sequence[RunView]) -> list[str]:
    """The conditions under a plot: once where all runs share them, else a line for each run."""
    lines = [_stamp(view) for view in views]
    if len(set(lines)) == 1:
        return [lines[0]]
    return [f"{view.letter}: {line}" for view, line in zip(views, lines, strict=True)]


def _stamp(view: RunView) -> str:
    conditions = view.run.conditions
    parts = [
        "" if conditions.backend == "tensorrt" else "This is no TensorRT latency",
        f"{backend_title(conditions)} on {conditions.device}",
        shapes_text(conditions),
        threads_text(conditions),
        text.counted(conditions.streams, "stream"),
        f"warm-up {conditions.warmup}",
        "host wall time of one inference" if conditions.backend in ON_HOST else conditions.method,
    ]
    return " · ".join(part for part in parts if part)


def run_title(bench: Workbench, run: LatencyRun) -> str:
    """One line for a list of runs."""
    conditions = run.conditions
    precision = PRECISION_LABELS[run_precision(bench, run)]
    return (
        f"{precision} · {METERS.get(conditions.backend, conditions.backend)} · "
        f"{text.clean(shapes_text(conditions), 40)} · {threads_text(conditions)} · "
        f"{text.clock(run.created_at)} · {run.id}"
    )
