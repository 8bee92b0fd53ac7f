"""The four-way square as a table: who computes, in which precision, and how right the worst output is."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.divergence_charts import sqnr
from pages.ui.inside_rows import cell_text, square_rows
from pages.ui.links import link_to
from pages.ui.tables import show_table
from trt_core.analysis.four_way import FP32, ORT, TENSORRT, four_way
from trt_core.domain.divergence import DivergenceRun, TensorError
from trt_core.domain.engine_divergence import FourWay
from trt_core.workbench import Workbench


def show_square(square: FourWay, *, key: str) -> None:
    """The verdict, then one row a precision and one column a runtime."""
    st.markdown(text.plain(square.sentence))
    show_table(square_rows(square), key=key, filename=f"four-way-{square.precision}.csv")
    if square.engine_gap is not None:
        st.caption(
            f"{TENSORRT} against {ORT}, both in {text.plain(square.precision.upper())}: "
            f"{sqnr(square.engine_gap.sqnr_db)}. Every corner is the worst output against {ORT} in FP32; {ORT} in low "
            "precision is simulated: values are rounded, arithmetic is FP32."
        )


def show_blame(bench: Workbench, model_id: str, precision: str) -> None:
    """Quantization or engine? The newest square of that precision, or why there is none and where it is made."""
    st.markdown("**Quantization or engine?**")
    looks = [head for head in bench.inside.heads(model_id) if head.square and head.square.precision == precision]
    if looks and looks[0].square:
        show_square(looks[0].square, key="blame.square")
        link_to("divergence", label="Open the look", changes={"build": looks[0].build_id})
        return
    missing = bench.inside.why_not() or f"No engine in {precision.upper()} was looked into yet."
    st.caption(
        f"The four-way square runs ONNX Runtime and TensorRT in FP32 and {text.plain(precision.upper())} on the same "
        f"samples. Its TensorRT column is absent: {text.plain(missing)}"
    )
    link_to("divergence", label="Look inside an engine")


def show_half(run: DivergenceRun, missing: str) -> None:
    """The squares of a comparison without an engine in one table: their TensorRT column is absent, with the reason."""
    squares = [_half(run, label, missing) for label in run.candidates]
    cells = [squares[0].cell(ORT, FP32), *(square.cell(ORT, square.precision) for square in squares)]
    st.markdown("**Quantization or engine?**")
    show_table(
        [{"precision": cell.precision.upper(), ORT: cell_text(cell), TENSORRT: "absent"} for cell in cells],
        key="inside.half",
        filename=f"{run.id}-four-way.csv",
    )
    st.caption(
        f"The {TENSORRT} column is absent: {text.plain(missing)} What {ORT} loses is the quantization's; what "
        f"{TENSORRT} would lose beyond it, the engine's."
    )


def _half(run: DivergenceRun, label: str, missing: str) -> FourWay:
    found = [(item.name, error) for item in run.outputs for name, error in item.errors if name == label]
    worst: tuple[str, TensorError] | None = min(found, key=lambda pair: pair[1].sqnr_db, default=None)
    return four_way(label, ort_low=worst or "not compared", engine_fp32=missing, engine_low=missing)
