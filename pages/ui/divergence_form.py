"""The form of a comparison: which precisions, on which samples, and how."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import choose_samples, upload_data
from pages.ui.jobs import asked_already
from pages.ui.pickers import data_title
from pages.ui.state import select
from pages.ui.submit import submit_button
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.artifacts import DataRecord, ModelRecord
from trt_core.domain.jobs import JobKind
from trt_core.domain.precision import ADVISED_CALIBRATION_SAMPLES, CalibrationMethod, Precision
from trt_core.domain.requests import DivergeSpec
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_AGAINST = (Precision.FP16, Precision.BF16, Precision.INT8, Precision.FP8, Precision.INT4)
_QUANTIZED = (Precision.INT8, Precision.FP8)
_MODES = {
    "both": "Both",
    "cumulative": "Accumulated: the whole model in low precision",
    "isolated": "Isolated: each layer alone, on exact inputs",
}
_METHODS = {
    CalibrationMethod.ENTROPY.value: "Entropy",
    CalibrationMethod.MINMAX.value: "MinMax",
    CalibrationMethod.PERCENTILE.value: "Percentile",
}


def divergence_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    sets = bench.library.data_sets(model.id)
    candidate_id = _file(bench, model)
    against = () if candidate_id else _against(model, sets)
    left, right = st.columns(2)
    with left:
        data_id = choose_samples(bench, model, key="divergence.on", label="Samples to compare on")
    calibration = None
    if not candidate_id:
        with right:
            calibration = _calibration(sets, against)
    upload_data(bench, model, page="divergence")
    samples, method, percentile, rest = _how(is_file=bool(candidate_id))
    mode = st.selectbox("Errors", list(_MODES), key="divergence.mode", format_func=_MODES.__getitem__)
    reason = "" if against or candidate_id else "Choose at least one precision."
    spec = None
    if not reason:
        spec = DivergeSpec(
            model_id=model.id,
            against=against,
            candidate_id=candidate_id,
            data_id=data_id,
            samples=samples,
            mode=mode,
            rest=rest,
            method=method,
            percentile=percentile,
            calibration_id=calibration.id if calibration else "",
        )
        reason = refusal_of(bench, spec)
    _submit(bench, spec, reason)


def _file(bench: Workbench, model: ModelRecord) -> str:
    """The id of a file that is compared as it is; "" for variants made here."""
    files = {record.id: record for record in bench.divergence.files(model.id)}
    if not files:
        return ""
    return st.selectbox(
        "Low precision comes from",
        ["", *files],
        key=f"divergence.{model.id}.file",
        format_func=lambda item: text.clean(f"{files[item].name} · {item}", 90) if item else "Variants made here",
        help="A file with Q/DQ pairs or FP16 tensors that another tool made of this model: upload it on Models. Its "
        "own INT8 scales are judged, and the layers where they do not fit come first.",
    )


def _against(model: ModelRecord, sets: Sequence[DataRecord]) -> tuple[Precision, ...]:
    usual = [Precision.FP16.value, Precision.INT8.value] if sets else [Precision.FP16.value]
    names = st.pills(
        "FP32 against",
        [item.value for item in _AGAINST],
        selection_mode="multi",
        default=usual,
        key=f"divergence.{model.id}.against",
        format_func=lambda item: PRECISION_LABELS[Precision(item)],
    )
    return tuple(item for item in _AGAINST if item.value in names)


def _how(*, is_file: bool) -> tuple[int, CalibrationMethod, float, Precision]:
    """Number of samples, calibration method with its percentile, and the precision of what is not quantized.

    A file brings all but the samples along.
    """
    with st.container(horizontal=True):
        samples = st.number_input("Samples", 1, 1_000_000, 16, key="divergence.samples")
        if is_file:
            return samples, CalibrationMethod.ENTROPY, 99.99, Precision.FP16
        method = st.selectbox(
            "Calibration method", list(_METHODS), key="divergence.method", format_func=_METHODS.__getitem__
        )
        percentile = st.number_input(
            "Percentile",
            50.1,
            100.0,
            99.99,
            0.01,
            format="%.3f",
            key="divergence.percentile",
            disabled=method != CalibrationMethod.PERCENTILE.value,
        )
        rest = st.selectbox(
            "Unquantized nodes run in",
            [Precision.FP16.value, Precision.FP32.value],
            key="divergence.rest",
            format_func=str.upper,
        )
    return samples, CalibrationMethod(method), percentile, Precision(rest)


def _calibration(sets: Sequence[DataRecord], against: Sequence[Precision]) -> DataRecord | None:
    """The data that ranges are taken from; data called calibration first."""
    if not sets:
        st.caption("INT8 and FP8 need calibration data: upload an .npz below.")
        return None
    by_id = {record.id: record for record in sorted(sets, key=lambda record: "calib" not in record.name.lower())}
    chosen = st.selectbox(
        "Calibration data",
        list(by_id),
        key="divergence.calibration",
        format_func=lambda item: text.clean(data_title(by_id[item]), 90),
        disabled=not any(item in _QUANTIZED for item in against),
        help="INT8 and FP8 take the range of every activation from it.",
    )
    if by_id[chosen].samples < ADVISED_CALIBRATION_SAMPLES and any(item in _QUANTIZED for item in against):
        st.caption(
            f"{text.counted(by_id[chosen].samples, 'sample')}; NVIDIA advises {ADVISED_CALIBRATION_SAMPLES} or more: "
            "ranges from few samples clip rare large values."
        )
    return by_id[chosen]


def refusal_of(bench: Workbench, spec: DivergeSpec) -> str:
    """Why a wish is refused, with what to do, as Markdown; "" when it is not."""
    try:
        bench.divergence.check(spec)
    except TrtCoreError as error:
        return text.plain(f"{error.message} {error.remedy}".strip())
    return ""


def _submit(bench: Workbench, spec: DivergeSpec | None, reason: str) -> None:
    if not reason and spec is not None:
        reason = asked_already(bench, JobKind.DIVERGE, spec)
    pressed = submit_button("Compare", key="divergence.submit", icon=":material/ssid_chart:", reason=reason)
    if pressed and spec is not None:
        select({"job": bench.divergence.submit(spec).id})
        st.rerun()
