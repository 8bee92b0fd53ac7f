"""The form of a validation: what is held against the model, on which samples, and what runs it."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import choose_samples
from pages.ui.pickers import build_title, data_title, variant_title
from pages.ui.state import select
from pages.ui.triage_form import scored_output
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.requests import ValidateSpec
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench


def validation_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button, or say what it needs first; submitting puts the job into the address."""
    titles = {item.id: variant_title(item) for item in bench.variants.variants(model.id)}
    titles |= {item.id: text.clean(build_title(item), 90) for item in bench.builds.builds(model.id)}
    labels = {item.id: item for item in bench.library.label_sets()}
    if not titles or not labels:
        missing = "a variant" if not titles else "labels"
        st.caption(
            f"Here a variant or an engine is held against its model on labelled samples. It needs {missing} first."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subject = st.selectbox("Candidate", list(titles), key="triage.check", format_func=titles.__getitem__)
        data = choose_samples(bench, model, key="triage.check_on", label="Samples")
        chosen = st.selectbox(
            "Their labels", list(labels), key="triage.check_labels",
            format_func=lambda item: text.clean(data_title(labels[item]), 60),
        )  # fmt: skip
        output = scored_output(model, key="triage.check")
        by_groups = st.toggle("Count groups", key="triage.check_groups", help="The verdict counts groups of samples.")
    backend = _backend(bench, str(subject))
    if not data:
        st.button("Validate", key="triage.validate", disabled=True, icon=":material/rule:")
        return
    spec = ValidateSpec(
        model_id=model.id,
        subject_id=str(subject),
        data_id=data,
        labels_id=str(chosen),
        by_groups=by_groups,
        output=output,
        backend=backend,
    )
    _submit(bench, spec)


def _backend(bench: Workbench, subject_id: str) -> str:
    """What runs the candidate; the switch is off, with its reason beside it, where no engine can run."""
    reason = bench.validation.why_not(subject_id)
    wanted = st.toggle(
        "Run the engine itself",
        value=not reason,
        key=f"triage.check_engine.{subject_id}",
        disabled=bool(reason),
        help="On the GPU of this machine. Otherwise the numerics twin of the variant simulates it in ONNX Runtime.",
    )
    if reason:
        st.caption(f"{text.plain(reason)} The numerics twin of the variant is run, in ONNX Runtime.")
    return "tensorrt" if wanted and not reason else "ort"


def _submit(bench: Workbench, spec: ValidateSpec) -> None:
    if st.button("Validate", key="triage.validate", icon=":material/rule:"):
        try:
            job = bench.validation.submit(spec)
        except TrtCoreError as error:
            st.warning(text.plain(f"{error.message} {error.remedy}".strip()))
            return
        select({"job": job.id})
        st.rerun()
