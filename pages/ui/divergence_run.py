"""A divergence run with what is drawn of it, read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.divergence_charts import sqnr
from pages.ui.once import once
from pages.ui.theme import PRECISION_LABELS, precision_label, precision_of
from trt_core.analysis.divergence_pictures import Bracket, Curve, Loss, band, brackets, curves, losses
from trt_core.analysis.origins import verdict
from trt_core.domain.divergence import DivergenceRun, TensorError
from trt_core.domain.graph import Graph
from trt_core.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run, its model's graph, and its pictures; losses are ordered with the worst precision first."""

    run: DivergenceRun
    graph: Graph
    losses: tuple[Loss, ...]
    curves: tuple[Curve, ...]
    brackets: tuple[Bracket, ...]

    def position_of(self, index: int) -> int:
        """Where a compared node stands in the run, which is its place in the picture."""
        return next(position for position, layer in enumerate(self.run.layers) if layer.index == index)


@st.cache_resource(max_entries=8, show_spinner=False)
def run_view(_bench: Workbench, run_id: str) -> RunView:
    """The view of a run; runs do not change, so that each is read once."""
    run = _bench.divergence.run(run_id)
    graph = _bench.library.graph(run.model_id)
    return RunView(
        run=run,
        graph=graph,
        losses=losses(graph, run),
        curves=curves(run),
        brackets=brackets(graph, run.layers),
    )


def run_title(run: DivergenceRun) -> str:
    """One line for a list of runs."""
    against = ", ".join(label.upper() for label in run.candidates)
    if run.candidate_file:
        against += f" of {text.clean(run.candidate_file, 40)}"
    data = text.clean(run.data, 40) or "seeded noise"
    return f"{against} · {text.counted(run.samples, 'sample')} of {data} · {text.clock(run.created_at)} · {run.id}"


def answer(view: RunView, *, name: Callable[[str], str] = text.code) -> str:
    """One sentence a precision, the worst first; `name` makes names harmless, for Markdown unless told otherwise."""
    said = []
    for loss in view.losses:
        first = [replace(item, name=name(item.name)) for item in loss.origins[:1]]
        said.append(verdict(loss.precision, first))
    outputs = [
        f"{loss.precision.upper()} {sqnr(loss.output_sqnr_db)}"
        for loss in view.losses
        if loss.output_sqnr_db is not None
    ]
    if outputs:
        said.append(f"At the outputs: {', '.join(outputs)}.")
    return " ".join(said) or "Nothing was compared."


def error_cells(prefix: str, error: TensorError | None) -> dict[str, Any]:
    """All metrics of one error as columns; an SQNR that is no number leaves its column empty, and `is` says why."""
    if error is None:
        return {f"{prefix} {name}": None for name in ("SQNR, dB", "is", "cosine", "max abs", "mean abs", "rel L2")} | {
            f"{prefix} NaN": None,
            f"{prefix} Inf": None,
        }
    finite = float("-inf") < error.sqnr_db < float("inf")
    return {
        f"{prefix} SQNR, dB": error.sqnr_db if finite else None,
        f"{prefix} is": band(error),
        f"{prefix} cosine": error.cosine,
        f"{prefix} max abs": error.max_abs,
        f"{prefix} mean abs": error.mean_abs,
        f"{prefix} rel L2": error.rel_l2,
        f"{prefix} NaN": error.nan,
        f"{prefix} Inf": error.inf,
    }


@once(8)
def layer_rows(run: DivergenceRun) -> list[dict[str, Any]]:
    """One row a compared layer with every metric in every precision."""
    has_isolated = any(layer.isolated for layer in run.layers)
    rows = []
    for position, layer in enumerate(run.layers):
        row: dict[str, Any] = {"#": position, "layer": layer.name, "op": layer.op_type}
        for label in run.candidates:
            row |= error_cells(label.upper(), layer.error(label))
        for label in run.candidates if has_isolated else ():
            alone = layer.error(label, isolated=True)
            row[f"{label.upper()} isolated"] = sqnr(alone.sqnr_db) if alone else None
            row[f"{label.upper()} isolated max abs"] = alone.max_abs if alone else None
        rows.append(row | {"tensor": layer.tensor})
    return rows


def output_rows(run: DivergenceRun) -> list[dict[str, Any]]:
    """One row an output and precision."""
    return [
        {"output": output.name, "precision": precision_label(label), "SQNR": sqnr(error.sqnr_db)} | metric_cells(error)
        for output in run.outputs
        for label, error in output.errors
    ]


def metric_cells(error: TensorError) -> dict[str, Any]:
    """The metrics beside SQNR."""
    return {
        "cosine": error.cosine,
        "max abs": error.max_abs,
        "mean abs": error.mean_abs,
        "rel L2": error.rel_l2,
        "NaN": error.nan,
        "Inf": error.inf,
    }


def origin_rows(view: RunView) -> list[dict[str, Any]]:
    """Where each precision begins to lose, in order of guilt."""
    return [
        {
            "precision": precision_label(loss.precision),
            "rank": rank,
            "layer": item.name,
            "loses": sqnr(item.loss_db),
            "beyond a healthy layer": sqnr(item.excess_db),
            "SQNR after it": sqnr(item.sqnr_db),
            "alone": sqnr(item.isolated_db),
            "scales cost": sqnr(item.avoidable_db) if item.is_fault else None,
            "layers before it": "nothing before" if item.before_db == float("inf") else sqnr(item.before_db),
        }
        for loss in view.losses
        for rank, item in enumerate(loss.origins, start=1)
    ]


def facts(view: RunView) -> dict[str, str]:
    """The conditions of a run, as plain text."""
    run = view.run
    return {
        "Baseline": run.baseline,
        "Against": ", ".join(PRECISION_LABELS[precision_of(label)] for label in run.candidates)
        + (f", the file {run.candidate_file}" if run.candidate_file else ""),
        "Samples": f"{text.count(run.samples)} of {run.data or 'seeded noise'}",
        "Compared": text.counted(len(run.layers), "layer"),
        "Method": run.method,
        "Variants": ", ".join(f"{label.upper()} {variant}" for label, variant in run.variants)
        or ("none: the file is run as it is" if run.candidate_file else "not recorded"),
        "Took": text.seconds(run.seconds),
        "Compared at": text.clock(run.created_at),
    }
