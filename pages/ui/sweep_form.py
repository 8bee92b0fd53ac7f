"""The form of a sweep: what is measured, over which batches and streams, or over which sizes of one axis."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.jobs import asked_already
from pages.ui.latency_backend import refusal_of
from pages.ui.measure_switches import copies_sentence, copies_switch, graph_switch
from pages.ui.pickers import build_title, variant_title
from pages.ui.state import select
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.jobs import JobKind
from trt_core.domain.latency import METERS, LatencyRequest
from trt_core.domain.profile_axes import free_axes
from trt_core.domain.requests import BenchSpec
from trt_core.domain.sweeps import SweepSpec
from trt_core.errors import InvalidInput, TrtCoreError
from trt_core.workbench import Workbench

_ORT = ("ort", "ort-cuda")
_BATCHES, _SIZES = "Batch × streams", "Sizes of one axis"


def sweep_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    subject, backend = _subject(bench, model)
    axes = free_axes(model.inputs)
    kinds = [_BATCHES, _SIZES] if axes else [_BATCHES]
    kind = st.segmented_control("Sweep over", kinds, default=_BATCHES, key="sweeps.kind") or _BATCHES
    if not axes:
        st.caption("Every size is fixed by the model: only the number of streams can vary.")
    left, right = st.columns(2)
    with left:
        label = "Batches" if kind == _BATCHES else "Sizes"
        sizes = st.text_input(label, "1, 2, 4, 8" if axes else "1", key=f"sweeps.sizes.{len(axes)}", disabled=not axes)
        axis = None
        if kind == _SIZES:
            axis = st.selectbox("Axis", axes, key="sweeps.axis", format_func=lambda item: text.clean(item.key, 40))
    with right:
        streams = st.text_input("Streams", "1, 2", key="sweeps.streams", help="Inferences at once.")
        iterations = st.number_input("Iterations a point", 2, 1_000_000, 400, key="sweeps.iterations", step=100)
    with st.container(horizontal=True, gap="large"):
        transfers, graph = copies_switch(backend, page="sweeps"), graph_switch(backend, page="sweeps")
    try:
        values = numbers(sizes)
        shapes = bench.sweeps.along(subject, axis.key, values) if axis is not None else ()
        spec = SweepSpec(
            subject_id=subject,
            batches=values if not shapes and axes else (1,),
            streams=numbers(streams),
            shapes=shapes,
            backend=backend,
            iterations=iterations,
            transfers=transfers,
            cuda_graph=graph,
        )
        bench.sweeps.check(spec)
    except TrtCoreError as error:
        st.error(text.plain(str(error)), icon=":material/error:")
        return
    _submit(bench, spec)


def _submit(bench: Workbench, spec: SweepSpec) -> None:
    copies = copies_sentence(spec.backend, transfers=spec.transfers)
    st.caption(
        f"{text.counted(len(spec.settings), 'point')}. {copies} A sweep that stops keeps its points, and the same one "
        "goes on from there."
    )
    busy = asked_already(bench, JobKind.SWEEP, spec)
    pressed = st.button(
        "Sweep",
        key="sweeps.submit",
        type="primary",
        icon=":material/grid_on:",
        width="stretch",
        disabled=bool(busy),
        help=busy or None,
    )
    if pressed:
        select({"job": bench.sweeps.submit(spec).id})
        st.rerun()


def _subject(bench: Workbench, model: ModelRecord) -> tuple[str, str]:
    files = {model.id: "The model as uploaded"}
    files |= {item.id: variant_title(item) for item in bench.variants.variants(model.id)}
    engines = [item for item in bench.builds.builds(model.id) if item.request.backend == "tensorrt"]
    cuda = refusal_of(bench, BenchSpec(subject_id=model.id, request=LatencyRequest(), backend="ort-cuda"))
    titles = {(item, backend): f"{title}, in {METERS[backend]}" for item, title in files.items() for backend in _ORT}
    titles = {key: title for key, title in titles.items() if key[1] == "ort" or not cuda}
    titles |= {(item.id, "tensorrt"): f"{build_title(item)}, in {METERS['tensorrt']}" for item in engines}
    subject: tuple[str, str] = st.selectbox(
        "What is measured", list(titles), key="sweeps.subject", format_func=lambda item: text.clean(titles[item], 90)
    )
    if cuda:
        st.caption(f"{METERS['ort-cuda']}: {cuda}")
    if not engines:
        st.caption("TensorRT: there is no engine of this model that this machine could run.")
    return subject


def numbers(words: str) -> tuple[int, ...]:
    """`1, 2, 4-6` as numbers; InvalidInput for anything else."""
    found: list[int] = []
    for word in words.replace(";", ",").split(","):
        first, dash, last = word.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(word) > 16:
            raise InvalidInput(f"{word.strip()[:40]!r} is no whole number.", remedy="Write 1, 2, 4 or 1-4.")
        end = int(last) if dash else int(first)
        if end - int(first) > 1000:
            raise InvalidInput(f"{word.strip()[:40]!r} is too long a range.", remedy="Name the sizes that matter.")
        found += range(int(first), end + 1)
    return tuple(dict.fromkeys(found))
