"""The form of a look into an engine: which one, on which samples, how deep."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.data_upload import choose_samples
from pages.ui.jobs import asked_already
from pages.ui.pickers import build_title
from pages.ui.state import select
from pages.ui.submit import submit_button
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.engine_divergence import INTACT_DB, MOST_DB, InsideSpec
from trt_core.domain.jobs import JobKind
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_TENSORS = {
    "borders": "Those between two layers: reading them splits no fusion",
    "all": "All: fusions will split, and the check will say so",
}
_SEARCHES = {
    "auto": "Read inner tensors; cut the engine where they say nothing",
    "groups": "Read inner tensors only",
    "bisect": "Cut the engine only",
    "none": "Compare outputs only",
}


def inside_form(bench: Workbench, model: ModelRecord, missing: str) -> None:
    """Draw the form and its button; `missing` is why no engine can be looked into here."""
    engines = {build.id: build for build in bench.inside.builds(model.id)}
    build_id = st.selectbox(
        "Engine",
        list(engines),
        index=0 if engines else None,
        key=f"inside.build.{model.id}",
        format_func=lambda item: text.clean(build_title(engines[item]), 90),
        placeholder="No TensorRT engine of this model yet",
        disabled=not engines,
        help=None if engines else "Build the model with the backend TensorRT on a GPU host first.",
    )
    data_id = choose_samples(bench, model, key="inside.on", label="Samples to look on")
    with st.container(horizontal=True):
        samples = st.number_input("Samples", 1, 100_000, 16, key="inside.samples")
        intact = st.number_input("Right from, dB", 0.0, MOST_DB, INTACT_DB, key="inside.intact_db")
        budget = st.number_input("Memory for inner tensors, MB", 1, 65_536, 512, key="inside.budget_mb")
        builds = st.number_input("Engines to build at most", 1, 64, 8, key="inside.max_builds")
    tensors = st.selectbox("Inner tensors", list(_TENSORS), key="inside.tensors", format_func=_TENSORS.__getitem__)
    search = st.selectbox("How", list(_SEARCHES), key="inside.search", format_func=_SEARCHES.__getitem__)
    spec = None
    if build_id is not None:
        spec = InsideSpec(
            build_id=build_id,
            data_id=data_id,
            samples=samples,
            tensors=tensors,
            search=search,
            budget_mb=budget,
            intact_db=intact,
            max_builds=builds,
        )
    _submit(bench, spec, missing)


def _submit(bench: Workbench, spec: InsideSpec | None, missing: str) -> None:
    reason = text.plain(missing)
    if not reason and spec is None:
        reason = "There is no TensorRT engine of this model: build one with the backend TensorRT."
    elif not reason and spec is not None:
        reason = _refusal(bench, spec) or asked_already(bench, JobKind.INSIDE, spec)
    pressed = submit_button("Look inside", key="inside.submit", icon=":material/troubleshoot:", reason=reason)
    if pressed and spec is not None:
        select({"job": bench.inside.submit(spec).id})
        st.rerun()


def _refusal(bench: Workbench, spec: InsideSpec) -> str:
    try:
        bench.inside.check(spec)
    except TrtCoreError as error:
        return text.plain(f"{error.message} {error.remedy}".strip())
    return ""
