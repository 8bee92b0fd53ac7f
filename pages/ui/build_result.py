"""What a build made: the precisions that its layers really run in, where the time went, and the files."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.build_charts import precision_figure, stage_figure
from pages.ui.calibration_form import offer_cache, range_rows, show_cache
from pages.ui.chart import draw_chart
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.links import link_to
from pages.ui.notices import announce
from pages.ui.once import once
from pages.ui.pickers import build_title, say_gone
from pages.ui.state import select, selected
from pages.ui.tables import Row, show_table
from pages.ui.tabs import show_tabs
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.artifacts import BuildRecord, VariantRecord
from trt_core.domain.precision import Precision
from trt_core.errors import NotFound
from trt_core.workbench import Workbench

_ROW = "build.history_row"


# Before everything else, not only in a tab.
_PRESSING = ("precision-not-reached", "precision-not-recorded", "precision-share-low")


def show_build(bench: Workbench, record: BuildRecord, *, cached: bool = False) -> None:
    """Draw one build."""
    variant = bench.variants.variant(record.request.variant_id)
    st.divider()
    st.subheader(f"Result: {text.plain(build_title(record))}", anchor=False)
    verdict(build_verdict(record))
    st.caption(text.plain(bench.builds.fusion(record.id).stamp))
    if pressing := [finding for finding in record.findings if finding.rule in _PRESSING]:
        show_findings(pressing)
    if cached:
        st.caption("Answered from the store: this request was built before.")
    _details(bench, record, variant)


def _details(bench: Workbench, record: BuildRecord, variant: VariantRecord) -> None:
    metrics(_cards(record))
    figure = precision_figure(record)
    draw_chart(figure, key="build.precision_chart", filename="requested-against-actual")
    with st.container(horizontal=True):
        link_to("fusion", label="Open the fusion map", changes={"build": record.id}, icon=":material/merge:")
        link_to("divergence", label="See where precision is lost", icon=":material/ssid_chart:")
    quantized = len(record.ranges or variant.ranges)
    show_tabs(
        {
            f"Findings ({len(record.findings)})": lambda: show_findings(record.findings),
            "Time": lambda: _time(record),
            f"Quantization ({quantized})": lambda: _ranges(bench, record, variant),
            "Files": lambda: _files(bench, record, variant),
            "Compiler log": lambda: _log(bench, record),
        },
        key="build.tab",
    )


def _time(record: BuildRecord) -> None:
    draw_chart(stage_figure(record.stages), key="build.stage_chart", filename="build-stages")
    st.caption("Wall time of one run in the worker, on a machine that may have been busy.")


def asked_build(bench: Workbench) -> BuildRecord | None:
    """The build that the address names; where it is gone, a box says so, and the form stays."""
    build_id = selected("build")
    if not build_id:
        return None
    try:
        return bench.builds.build(build_id)
    except NotFound:
        say_gone("build", build_id, "this workspace")
        return None


def show_answer(build: BuildRecord) -> None:
    """The verdict on a build: beside the form, and at its button for who pressed it, so that neither has to scroll."""
    with st.container(border=True):
        st.markdown(f"**{build_verdict(build)}**")
        link_to("fusion", label="See what became of every node", icon=":material/merge:")
        st.caption("The whole result is below the form.")


def build_verdict(record: BuildRecord) -> str:
    """The answer in a sentence: `INT8 was asked for; 3 of 106 layers run in it`."""
    wanted = record.recipe.precision
    asked = f"{PRECISION_LABELS[wanted]} was asked for"
    count = record.precisions.get(wanted.value, 0)
    if wanted is Precision.TF32 and not count:
        return f"{asked}; the record writes FP32 for all {record.layer_count} layers, as it does for TF32."
    if count == record.layer_count:
        return f"{asked}; all {record.layer_count} layers run in it."
    return f"{asked}; {count} of {record.layer_count} layers run in it."


def _cards(record: BuildRecord) -> list[Metric]:
    folded = record.node_states.get("folded", 0)
    unexplained = record.node_states.get("unexplained", 0)
    return [
        Metric(label="Engine layers", value=text.count(record.layer_count), how="Layers that compute or move data."),
        Metric(
            label="Nodes folded", value=text.count(folded), how="Nodes of the uploaded model that need no engine layer."
        ),
        Metric(label="Nodes unexplained", value=text.count(unexplained), how="In no record and under no rule."),
        Metric(label="Engine size", value=text.mebibytes(record.engine_bytes), how="The serialized plan."),
        Metric(
            label="Parse and build",
            value=text.seconds(record.seconds),
            how=f"Once, in the worker, backend {record.backend_version}; other stages are under Time.",
        ),
    ]


def _ranges(bench: Workbench, record: BuildRecord, variant: VariantRecord) -> None:
    if bench.caches.has(record.id):
        st.caption("TensorRT calibrated this engine itself, from the FP32 file.")
        show_cache(bench.caches.view(record.id), key="build.ranges_cache", filename=record.id)
        _keep_cache(bench, record)
        return
    if not variant.ranges:
        st.caption("No activation is quantized in this variant.")
        return
    st.caption("What calibration chose for each quantized activation; the zero point is 0.")
    show_table(range_rows(variant.ranges), key="build.ranges", filename=f"{variant.id}-ranges.csv")


def _keep_cache(bench: Workbench, record: BuildRecord) -> None:
    """Offer the scales of this engine to the next build."""
    if st.button("Offer it to the next build", key="build.keep_cache", icon=":material/bookmark_add:"):
        text_of = bench.caches.text(record.id)
        kept = bench.caches.add_text(text_of, name=f"of {record.id}", model_id=record.model_id)
        offer_cache(kept)
        announce("The form offers these scales: INT8, TensorRT, implicitly, a calibration cache.")
        st.rerun()


def _files(bench: Workbench, record: BuildRecord, variant: VariantRecord) -> None:
    precision = record.recipe.precision.value
    name = text.clean(bench.library.model(record.model_id).name, 40).removesuffix(".onnx")
    with st.container(horizontal=True):
        st.download_button(
            f"Engine, {text.mebibytes(record.engine_bytes)}",
            data=lambda: bench.builds.engine_path(record.id).read_bytes(),
            file_name=f"{name}.{precision}.engine",
            key="build.download_engine",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Variant, ONNX",
            data=lambda: bench.variants.path(variant.id).read_bytes(),
            file_name=f"{name}.{precision}.onnx",
            key="build.download_variant",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Compiler log",
            data=lambda: bench.builds.log(record.id),
            file_name=f"{record.id}.log",
            key="build.download_log",
            on_click="ignore",
            icon=":material/download:",
        )
    st.caption(f"Engine sha256 `{record.engine_sha256}`, variant `{variant.id}` sha256 `{variant.sha256}`.")


def _log(bench: Workbench, record: BuildRecord) -> None:
    st.caption("The last 20,000 characters; the whole log is under Files.")
    st.code(_log_tail(bench, record.id), language=None, height=320)


@once(16)
def _log_tail(bench: Workbench, build_id: str) -> str:
    return text.cell(bench.builds.log(build_id)[-20_000:])


def history_px(records: Sequence[BuildRecord]) -> int:
    """How high that list stands, about."""
    return 100 + min(400, 36 * len(records) + 100)


def show_history(records: Sequence[BuildRecord], current: str) -> None:
    """All builds of the model, newest first; a chosen row opens that build in its place."""
    st.subheader("Builds of this model", anchor=False)
    rows = [
        {
            "build": item.id,
            "shown": "●" if item.id == current else "",
            "asked for": PRECISION_LABELS[item.recipe.precision],
            "target": item.target,
            "normalized": item.recipe.normalize,
            "attempt": item.attempt,
            "layers": item.layer_count,
            "runs in": ", ".join(f"{name.upper()} {count}" for name, count in item.precisions.items()),
            "size": text.mebibytes(item.engine_bytes),
            "took": text.seconds(item.seconds),
            "built at": text.clock(item.created_at),
            "built as": item.made_for or "asked for",
        }
        for item in records
    ]
    _history(records, rows, current)


def _history(records: Sequence[BuildRecord], rows: Sequence[Row], current: str) -> None:
    row = show_table(rows, key="build.history", filename="builds.csv", selectable=True)
    st.caption("Select a row to see that build here. Its fusion map is one click further.")
    if row != st.session_state.get(_ROW):
        st.session_state[_ROW] = row
        if row is not None and records[row].id != current:
            select({"build": records[row].id, "job": ""})
            st.rerun()
