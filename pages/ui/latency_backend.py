"""What is measured, and in which library: each that does not run here says why."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.ui import text
from pages.ui.links import link_to
from pages.ui.pickers import build_title, variant_title
from pages.ui.state import select, selected
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.latency import METERS, LatencyRequest
from trt_core.domain.requests import BenchSpec
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_SUBJECT, _CHOSEN = "latency.subject", "latency.backend"
_ENGINE = "tensorrt"


@dataclass(frozen=True, kw_only=True)
class Measurable:
    """A file, what runs it, and for PyTorch the program that is run in its place."""

    subject_id: str
    backend: str
    program: str = ""


def choose_measurable(bench: Workbench, model: ModelRecord) -> Measurable:
    """Draw what is measured and what runs it."""
    subject = _subject(bench, model)
    programs = bench.latency.programs()
    wishes = {name: Measurable(subject_id=subject, backend=name, program=_program(name, programs)) for name in METERS}
    refusals = {name: refusal_of(bench, _wish(item)) for name, item in wishes.items()}
    able = [name for name, refusal in refusals.items() if not refusal]
    chosen = str(st.session_state.get(_CHOSEN, ""))
    if chosen not in able:
        chosen = able[0] if able else (_ENGINE if subject.startswith("b-") else "ort")
    _buttons(refusals, chosen)
    if chosen.startswith("pytorch"):
        program = st.selectbox("Exported program", programs, key="latency.program", format_func=text.clean)
        st.caption("It lies in the folder that the operator configured. A .pt2 may carry code: none is uploaded here.")
        return Measurable(subject_id=subject, backend=chosen, program=program)
    return wishes[chosen]


def refusal_of(bench: Workbench, spec: BenchSpec) -> str:
    """Why a wish is refused, with what to do, as Markdown; "" when it is not."""
    try:
        bench.latency.resolved(spec)
    except TrtCoreError as error:
        return text.plain(f"{error.message} {error.remedy}".strip())
    return ""


def _wish(item: Measurable) -> BenchSpec:
    return BenchSpec(subject_id=item.subject_id, request=LatencyRequest(), backend=item.backend, program=item.program)


def _program(backend: str, programs: tuple[str, ...]) -> str:
    return programs[0] if programs and backend.startswith("pytorch") else ""


def _subject(bench: Workbench, model: ModelRecord) -> str:
    variants = {record.id: record for record in bench.variants.variants(model.id)}
    engines = {record.id: record for record in bench.builds.builds(model.id) if record.request.backend == _ENGINE}
    titles = {model.id: "The model as uploaded"}
    titles |= {item: variant_title(record) for item, record in variants.items()}
    titles |= {item: f"Engine: {build_title(record)}" for item, record in engines.items()}
    chosen = next((item for item in (selected("build"), selected("variant")) if item in titles), model.id)
    st.session_state[_SUBJECT] = chosen
    subject: str = st.selectbox(
        "What is measured",
        list(titles),
        key=_SUBJECT,
        format_func=lambda item: text.clean(titles[item], 90),
        on_change=_remember_subject,
        args=(frozenset(engines),),
    )
    if subject in variants:
        st.caption(
            "ONNX Runtime on the CPU computes a variant with casts and Q/DQ nodes in its own way: "
            "its time says nothing about TensorRT."
        )
    if not variants:
        link_to("build", label="Make a variant in another precision", icon=":material/construction:")
    return subject


def _remember_subject(engines: frozenset[str]) -> None:
    chosen = str(st.session_state[_SUBJECT])
    changes = {"variant": chosen if chosen.startswith("v-") else ""}
    if chosen in engines or selected("build") in engines:  # another backend's engine stays in the address
        changes["build"] = chosen if chosen in engines else ""
    select(changes)


def _buttons(refusals: dict[str, str], chosen: str) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for name, refusal in refusals.items():
            st.button(
                METERS[name],
                key=f"{_CHOSEN}.{name}",
                type="primary" if name == chosen else "secondary",
                disabled=bool(refusal),
                help=refusal or None,
                on_click=st.session_state.update,
                args=({_CHOSEN: name},),
            )
    off = {name: refusal for name, refusal in refusals.items() if refusal}
    if off:
        with st.expander(f"{len(off)} of {len(refusals)} cannot measure this here: why", icon=":material/info:"):
            for name, refusal in off.items():
                st.caption(f"**{METERS[name]}** · {refusal}")
