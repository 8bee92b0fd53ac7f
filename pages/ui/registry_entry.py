"""One engine of the registry: parents, figures, and the decision about it."""

from __future__ import annotations

from dataclasses import fields

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from pages.ui.links import link_to
from pages.ui.tables import show_table
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.registry import EngineState, Entry, Measurement
from trt_core.workbench import Workbench


def show_entry(bench: Workbench, entry: Entry) -> None:
    """Draw one entry."""
    st.subheader("The chosen engine", anchor=False)
    st.markdown(text.code(entry.tag, 120))
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        show_table(_parents(entry), key="registry.parents", filename=f"{entry.build.id}.parents.csv")
        _figures("Latency", entry.latency, "Not measured: neither this engine nor its variant.")
        _figures("Accuracy", entry.accuracy, "Not validated: neither this engine nor its variant.")
    with right:
        _decide(bench, entry)
        changes = {"model": entry.build.model_id, "build": entry.build.id}
        link_to("fusion", label="Open its fusion map", changes=changes, icon=":material/merge:")
        link_to("deploy", label="Deploy it", changes=changes, icon=":material/rocket_launch:")


def _parents(entry: Entry) -> list[dict[str, str]]:
    build = entry.build
    facts = {
        "Model": f"{entry.model_name} ({build.model_id})",
        "Model sha256": entry.model_sha256,
        "Variant": f"{build.recipe.precision.value} ({build.request.variant_id})",
        "Variant sha256": entry.variant_sha256,
        "Precision plan": _plan(build),
        "Precision plan sha256": entry.plan_sha256,
        "Calibration data sha256": entry.data_sha256 or "none needed",
        "Build request": _request(build),
        "Timing cache sha256": _timing_cache(entry),
        "Compiler": f"{build.request.backend} {build.backend_version}",
        "Built on": ", ".join(f"{name} {value}" for name, value in build.host) or "not recorded",
        "Attempt": str(build.attempt),
        "Engine sha256": build.engine_sha256,
    }
    return [{"Fact": name, "Value": value} for name, value in facts.items()]


def _plan(build: BuildRecord) -> str:
    recipe = build.recipe
    kept = f", {text.counted(len(recipe.keep), 'node')} kept higher" if recipe.keep else ""
    rest = f", the rest {recipe.rest.value}" if recipe.precision.is_quantized else ""
    return f"{recipe.precision.value}{rest}{kept}"


def _request(build: BuildRecord) -> str:
    """The profiles and the options that are not the library's own choice."""
    options, plain = build.request.options, BuilderOptions()
    chosen = [
        f"{item.name.replace('_', ' ')} {getattr(options, item.name)}"
        for item in fields(options)
        if item.name != "timing_cache" and getattr(options, item.name) != getattr(plain, item.name)
    ]
    profiles = [text.counted(len(build.request.profiles), "profile")] if build.request.profiles else []
    return ", ".join([*profiles, *chosen]) or "the library's defaults"


def _timing_cache(entry: Entry) -> str:
    if entry.timing_cache:
        return "none: every tactic was timed anew" if entry.timing_cache == "off" else entry.timing_cache
    return "the machine's own, not recorded" if entry.build.request.backend == "tensorrt" else "none"


def _figures(title: str, found: tuple[Measurement, ...], empty: str) -> None:
    if not found:
        st.caption(empty)
    for item in found[:5]:
        whose = "this engine" if item.on_engine else "its variant, not of the engine itself"
        st.markdown(f"**{title}** of {whose}: {text.plain(item.text)}")


def _decide(bench: Workbench, entry: Entry) -> None:
    states = list(EngineState)
    with st.form(f"registry.{entry.build.id}.decide"):
        state = st.radio(
            "State", states, index=states.index(entry.decision.state), horizontal=True, format_func=_capital
        )
        notes = st.text_area("Notes", value=entry.decision.notes, max_chars=4000)
        if st.form_submit_button("Keep the decision", type="primary"):
            with boundary("registry"):
                bench.registry.decide(entry.build.id, state=state, notes=notes)
                st.toast("Kept.")
                st.rerun()


def _capital(state: EngineState) -> str:
    return state.value.capitalize()
