"""The form of a measurement: what is measured, at which shape, and how often."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import choose_samples, upload_data
from pages.ui.jobs import asked_already
from pages.ui.latency_backend import choose_measurable, refusal_of
from pages.ui.measure_switches import copies_switch, graph_switch
from pages.ui.state import select
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.jobs import JobKind
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.profile_axes import first_sizes, free_axes, profile_from_sizes
from trt_core.domain.requests import BenchSpec
from trt_core.workbench import Workbench

_LARGEST = 1 << 20


def latency_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    chosen = choose_measurable(bench, model)
    shapes = _shapes(model)
    data_id = choose_samples(bench, model, key="latency.samples", label="Data")
    upload_data(bench, model, page="latency")
    request = replace(_amounts(), shapes=shapes)
    with st.container(horizontal=True, gap="large"):
        profile = st.toggle("Time each node in a separate run", value=True, key="latency.profile")
        transfers = copies_switch(chosen.backend, page="latency")
        graph = graph_switch(chosen.backend, page="latency")
    request = replace(request, profile_layers=profile, transfers=transfers, cuda_graph=graph)
    spec = BenchSpec(
        subject_id=chosen.subject_id,
        request=request,
        backend=chosen.backend,
        data_id=data_id,
        program=chosen.program,
    )
    _submit(bench, spec)


def _amounts() -> LatencyRequest:
    """How often, for how long, and how much at once."""
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
            "Threads", 0, 1024, 0, key="latency.threads", help="Inside one inference. 0: the library chooses."
        )
    return LatencyRequest(warmup=warmup, iterations=iterations, duration_s=duration, streams=streams, threads=threads)


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
        help=reason or busy or "It waits until the device is its own: two timings at once are both wrong.",
        icon=":material/timer:",
        width="stretch",
    )
    if pressed:
        select({"job": bench.latency.submit(spec).id})
        st.rerun()
