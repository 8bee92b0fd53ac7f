"""The form of a measurement: what is measured, at which shape, and how often."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import choose_samples, upload_data
from pages.ui.jobs import asked_already
from pages.ui.links import link_to
from pages.ui.pickers import variant_title
from pages.ui.state import select, selected
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.jobs import JobKind
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.profile_axes import first_sizes, free_axes, profile_from_sizes
from trt_core.domain.requests import BenchSpec
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_LARGEST = 1 << 20
_SUBJECT = "latency.subject"


def latency_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    subject = _subject(bench, model)
    _backend(bench, subject)
    shapes = _shapes(model)
    data_id = choose_samples(bench, model, key="latency.samples", label="Data")
    upload_data(bench, model, page="latency")
    with st.container(horizontal=True):
        iterations = st.number_input("Iterations", 1, 10_000_000, 1_000, key="latency.iterations", step=500)
        warmup = st.number_input(
            "Warm-up", 0, 1_000_000, 50, key="latency.warmup", step=10, help="Inferences before the samples."
        )
        duration = st.number_input(
            "Duration, s",
            0.0,
            3600.0,
            0.0,
            key="latency.duration",
            help="The run goes on until this has passed and the iterations are done.",
        )
    with st.container(horizontal=True):
        streams = st.number_input(
            "Streams", 1, 64, 1, key="latency.streams", help="Inferences at once, each in a thread of its own."
        )
        threads = st.number_input(
            "Threads", 0, 1024, 0, key="latency.threads", help="Inside one inference. 0: ONNX Runtime chooses."
        )
    profile = st.toggle("Time each node in a separate run", value=True, key="latency.profile")
    request = LatencyRequest(
        shapes=shapes,
        warmup=warmup,
        iterations=iterations,
        duration_s=duration,
        streams=streams,
        threads=threads,
        profile_layers=profile,
    )
    _submit(bench, BenchSpec(subject_id=subject, request=request, data_id=data_id))


def _subject(bench: Workbench, model: ModelRecord) -> str:
    variants = {record.id: record for record in bench.variants.variants(model.id)}
    chosen = selected("variant")
    st.session_state[_SUBJECT] = chosen if chosen in variants else model.id
    subject: str = st.selectbox(
        "What is measured",
        [model.id, *variants],
        key=_SUBJECT,
        format_func=lambda item: variant_title(variants[item]) if item in variants else "The model as uploaded",
        on_change=_remember_subject,
    )
    if subject in variants:
        st.caption(
            "ONNX Runtime on the CPU computes a variant with casts and Q/DQ nodes in its own way: "
            "its time says nothing about TensorRT."
        )
    if not variants:
        link_to("build", label="Make a variant in another precision", icon=":material/construction:")
    return subject


def _remember_subject() -> None:
    chosen = str(st.session_state[_SUBJECT])
    select({"variant": chosen if chosen.startswith("v-") else ""})


def _backend(bench: Workbench, subject: str) -> None:
    refusal = refusal_of(bench, BenchSpec(subject_id=subject, request=LatencyRequest(), backend="tensorrt"))
    with st.container(horizontal=True, gap="xsmall"):
        st.button("ONNX Runtime", key="latency.backend.ort", type="primary", help="On this machine's processor.")
        st.button("TensorRT", key="latency.backend.tensorrt", disabled=True, help=refusal or None)
    if refusal:
        st.caption(refusal)


def refusal_of(bench: Workbench, spec: BenchSpec) -> str:
    """Why a wish is refused, with what to do, as Markdown; "" when it is not."""
    try:
        bench.latency.resolved(spec)
    except TrtCoreError as error:
        return text.plain(f"{error.message} {error.remedy}".strip())
    return ""


def _shapes(model: ModelRecord) -> tuple[tuple[str, tuple[int, ...]], ...]:
    axes = free_axes(model.inputs)
    st.caption(
        "Input "
        + ", ".join(f"{text.code(spec.name, 40)} {text.plain(spec.shape_text())}" for spec in model.inputs)
        + ("" if axes else ": every size is fixed by the model.")
    )
    if not axes:
        return ()
    sizes = {}
    with st.container(horizontal=True):
        for place, axis in enumerate(axes):
            first, _, _ = first_sizes(axis)
            label = text.plain(axis.key, 40)
            places = text.plain(axis.places_text(), 300)
            size = st.number_input(label, 1, _LARGEST, first, key=f"latency.{model.id}.size.{place}", help=places)
            sizes[axis.key] = (size, size, size)
    profile = profile_from_sizes(model.inputs, sizes)
    return tuple((item.tensor, item.opt) for item in profile.ranges)


def _submit(bench: Workbench, spec: BenchSpec) -> None:
    reason = refusal_of(bench, spec)
    if reason:
        st.error(reason, icon=":material/error:")
    busy = "" if reason else asked_already(bench, JobKind.BENCH, bench.latency.resolved(spec))
    if busy:
        st.caption(busy)
    pressed = st.button(
        "Measure",
        key="latency.submit",
        type="primary",
        disabled=bool(reason or busy),
        help=reason or busy or "It waits until the processor is its own: two timings at once are both wrong.",
        icon=":material/timer:",
        width="stretch",
    )
    if pressed:
        select({"job": bench.latency.submit(spec).id})
        st.rerun()
