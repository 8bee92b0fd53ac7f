"""The form of a search: which precision, which data, which metric, how much may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import upload_data
from pages.ui.jobs import asked_already
from pages.ui.pickers import data_title
from pages.ui.picture_upload import upload_pictures
from pages.ui.state import select
from pages.ui.submit import submit_button
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.artifacts import DataRecord, ModelRecord
from trt_core.domain.jobs import JobKind
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec
from trt_core.domain.validation import FLOOR_METRICS, LABEL_METRICS, default_tolerance, floor_words
from trt_core.errors import TrtCoreError
from trt_core.services.metrics import metric_names
from trt_core.workbench import Workbench

_PRECISIONS = (Precision.INT8, Precision.FP16, Precision.BF16, Precision.FP8, Precision.INT4)
_METHODS = {"entropy": "Entropy", "minmax": "MinMax", "percentile": "Percentile"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How candidates are made and judged."""

    metric: str
    tolerance: float
    method: CalibrationMethod
    percentile: float
    rest: Precision
    attention: bool
    by_groups: bool
    output: str


def triage_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    value = st.segmented_control(
        "Lower the model to",
        [item.value for item in _PRECISIONS],
        default=Precision.INT8.value,
        key="triage.precision",
        format_func=lambda item: PRECISION_LABELS[Precision(item)],
    )
    precision = Precision(value or Precision.INT8.value)
    sets = bench.library.data_sets(model.id)
    calibration, validation, labels = three_sets(bench, model, sets, key="triage")
    how = judged(bench, model, (precision,), key="triage")
    reason, spec = "", None
    try:
        recipe = Recipe(
            precision=precision,
            rest=how.rest,
            method=how.method,
            percentile=how.percentile,
            attention=how.attention,
        )
        lab = st.toggle("Compare calibration methods", key="triage.lab_wanted", help="Two more passes over the data.")
        spec = TriageSpec(
            model_id=model.id,
            recipe=recipe,
            data_id=calibration if recipe.needs_data else "",
            validation_id=validation,
            labels_id="" if how.metric in FLOOR_METRICS else labels,
            metric=how.metric,
            tolerance=how.tolerance,
            by_groups=how.by_groups,
            output=how.output,
            with_lab=lab,
            leave_one_out=_alone(),
        )
        bench.triage.check(spec)
    except TrtCoreError as error:
        reason = text.plain(f"{error.message} {error.remedy}".strip())
    _submit(bench, spec, reason if sets else "Upload validation samples first.")


def _alone() -> int:
    return st.number_input(
        "Layers to measure alone",
        0,
        50,
        0,
        key="triage.leave_one_out",
        help="Leave-one-out: what the metric gains when one layer alone goes back. One evaluation each.",
    )


def three_sets(bench: Workbench, model: ModelRecord, sets: list[DataRecord], *, key: str) -> tuple[str, str, str]:
    """The ids of the calibration data, the validation data and the labels, which may be uploaded below."""
    left, middle, right = st.columns(3)
    with left:
        calibration = _data("Calibration data", sets, f"{key}.calibration", first="calib")
    with middle:
        validation = _data("Validation data", sets, f"{key}.validation", first="test")
    with right:
        labels = _data("Labels", bench.library.label_sets(), f"{key}.labels", first="label")
    _upload_labels(bench, key=key)
    upload_data(bench, model, page=key)
    upload_pictures(bench, model, key=key)
    return calibration, validation, labels


def _data(label: str, sets: list[DataRecord], key: str, *, first: str) -> str:
    """The id of a data set, those whose name says what they are for first; "" where there is none."""
    by_id = {record.id: record for record in sorted(sets, key=lambda record: first not in record.name.lower())}
    chosen = st.selectbox(
        label,
        list(by_id),
        key=key,
        format_func=lambda item: text.clean(data_title(by_id[item]), 60),
        placeholder="None",
    )
    return str(chosen or "")


def _upload_labels(bench: Workbench, *, key: str) -> None:
    with st.expander("Upload labels", icon=":material/upload:"):
        file = st.file_uploader(
            "An .npz with the array labels: one class number a sample. Samples of one original: add the array groups.",
            type=["npz"],
            key=f"{key}.file",
        )
        if file is not None and st.button("Use these labels", key=f"{key}.labels_add"):
            bench.library.add_data(file, name=file.name)
            st.rerun()


def _switches(key: str) -> tuple[bool, bool]:
    """Whether attention products are quantized, and whether the verdict counts groups."""
    with st.container(horizontal=True):
        attention = st.toggle(
            "Quantize attention products, too",
            key=f"{key}.attention",
            help="INT8 and FP8: MatMuls of two activations. The fused attention kernel can then run in it.",
        )
        by_groups = st.toggle(
            "Let the verdict count groups",
            key=f"{key}.by_groups",
            help="Of samples that come from one original, as the label file's array groups says. Otherwise their "
            "bounds stand beside a verdict that counts samples.",
        )
    return attention, by_groups


def judged(bench: Workbench, model: ModelRecord, precisions: Sequence[Precision], *, key: str) -> Judged:
    """How candidates of these precisions are made and judged: metric, tolerance, calibration, what is kept in what."""
    with st.container(horizontal=True):
        metric = st.selectbox("Metric", metric_names(bench.settings), key=f"{key}.metric")
        if metric in FLOOR_METRICS:
            usual, words = default_tolerance(metric, precisions), floor_words(metric, precisions)
            said = f"At first {usual:g}, {words}."
            tolerance = st.number_input("Floor", value=usual, key=f"{key}.floor.{metric}.{usual:g}", help=said)
        else:
            percent = st.number_input("Tolerated relative drop, %", 0.0, 99.0, 0.5, 0.1, key=f"{key}.tolerance")
            tolerance = percent / 100
        output = scored_output(model, key=key) if metric in LABEL_METRICS else ""
        methods = [item.value for item in (CalibrationMethod.ENTROPY, CalibrationMethod.MINMAX)]
        methods.append(CalibrationMethod.PERCENTILE.value)
        method = st.selectbox("Calibration method", methods, key=f"{key}.method", format_func=_METHODS.__getitem__)
        percentile = st.number_input(
            "Percentile",
            50.1,
            100.0,
            99.99,
            0.01,
            format="%.3f",
            key=f"{key}.percentile",
            disabled=method != CalibrationMethod.PERCENTILE.value,
        )
        rest = st.selectbox("What is kept runs in", ["fp16", "fp32"], key=f"{key}.rest", format_func=str.upper)
    attention, by_groups = _switches(key)
    return Judged(
        metric=str(metric),
        tolerance=float(tolerance),
        method=CalibrationMethod(method),
        percentile=float(percentile),
        rest=Precision(rest),
        attention=attention,
        by_groups=by_groups,
        output=output,
    )


def scored_output(model: ModelRecord, *, key: str) -> str:
    """The output to be scored, asked for where several may hold a value a class; "" leaves it to the metric."""
    names = [item.name for item in model.outputs if item.may_hold_classes]
    if len(names) < 2:
        return ""
    return str(st.selectbox("Output to score", names, key=f"{key}.output.{model.id}", format_func=text.clean))


def _submit(bench: Workbench, spec: TriageSpec | None, reason: str) -> None:
    if spec is not None and not reason:
        reason = asked_already(bench, JobKind.TRIAGE, spec)
    pressed = submit_button("Find a plan", key="triage.submit", icon=":material/troubleshoot:", reason=reason)
    if pressed and spec is not None:
        select({"job": bench.triage.submit(spec).id})
        st.rerun()
