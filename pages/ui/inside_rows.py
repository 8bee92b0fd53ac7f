"""A look into an engine as rows of plain values: for the page's tables and for its report."""

from __future__ import annotations

from typing import Any

from pages.ui.divergence_charts import sqnr
from pages.ui.divergence_run import error_cells
from trt_core.analysis.engine_words import step_words
from trt_core.analysis.four_way import FP32, ORT, TENSORRT
from trt_core.domain.engine_divergence import EngineDivergence, FourWay, SquareCell

Rows = list[dict[str, Any]]
SIGNS = {True: "changed", False: "unchanged", None: "cannot tell"}


def tensor_rows(run: EngineDivergence) -> Rows:
    """One row an inner tensor that was read, believed or not."""
    believed = set(run.believed)
    return [
        {
            "layer": layer.name,
            "op": layer.op_type,
            "tensor": layer.tensor,
            "believed": "yes" if layer.tensor in believed else "no: watching changed the engine",
            **error_cells("", layer.accumulated[0][1]),
        }
        for layer in run.layers
    ]


def output_rows(run: EngineDivergence) -> Rows:
    """One row an output."""
    return [{"output": item.name, **error_cells("", error)} for item in run.outputs for _, error in item.errors]


def segment_rows(run: EngineDivergence) -> Rows:
    """One row a tensor between the cuts; none where nothing was read there."""
    segment = run.bisection.segment if run.bisection else None
    return [{"tensor": name, **error_cells("", error)} for name, error in segment.errors] if segment else []


def check_rows(run: EngineDivergence) -> Rows:
    """One row a marked engine and question of its observer check."""
    return [
        {"engine": number, "question": name, "answer": SIGNS[item.changed], "why": item.sentence,
         "evidence": "; ".join(item.evidence)}
        for number, group in enumerate(run.groups, start=1)
        if group.check is not None
        for name, item in (
            ("fusions", group.check.fusions),
            ("final output", group.check.output),
            ("latency", group.check.latency),
        )
    ]  # fmt: skip


def step_rows(run: EngineDivergence) -> Rows:
    """One row a build of the search."""
    steps = run.bisection.steps if run.bisection else ()
    return [{"build": number, "what it showed": step_words(step)} for number, step in enumerate(steps, start=1)]


def square_rows(square: FourWay) -> Rows:
    """One row a precision, one column a runtime."""
    return [
        {"precision": precision.upper()} | {name: cell_text(square.cell(name, precision)) for name in (ORT, TENSORRT)}
        for precision in (FP32, square.precision)
    ]


def cell_text(cell: SquareCell) -> str:
    """What stands in a corner."""
    if cell.error is not None:
        return f"{sqnr(cell.error.sqnr_db)} at {cell.output}"
    return f"absent: {cell.absent}" if cell.absent else "the reference"
