"""Which engine is looked at, and which one beside it: both live in the address."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.engine_stories import show_stories
from pages.ui.errors import show_error
from pages.ui.links import link_to
from pages.ui.state import select
from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.recordings import EngineStudy
from trt_core.errors import InvalidInput, NotFound
from trt_core.services.engines import EngineEntry
from trt_core.workbench import Workbench

_VIEW = "engines.view"
_KINDS = (ArtifactKind.RECORDING.value, ArtifactKind.BUILD.value)


def study_of(bench: Workbench, engine_id: str) -> EngineStudy:
    """Everything known of an engine; engines do not change, so that it is read once for each new measurement."""
    return _study_of(bench, engine_id, bench.engines.latest_run(engine_id))


@st.cache_resource(max_entries=12, show_spinner=False)
def _study_of(_bench: Workbench, engine_id: str, run_id: str) -> EngineStudy:
    del run_id  # tells one state of the measurements from the next
    return _bench.engines.study(engine_id)


def selected_engine(name: str) -> str:
    """The id of a recording or a build in the address, "" when there is none; NotFound for anything else."""
    found = str(st.query_params.get(name, ""))
    if found and checked_id(found)[0] not in _KINDS:
        raise NotFound(f"{found!r} is no engine.", remedy="Choose a recording or a build.")
    return found


def pick_engine(entries: Sequence[EngineEntry], *, name: str, label: str, optional: bool = False) -> str:
    """One engine of the list, remembered in the address under `name`; "" when none is chosen.

    One that the address names and that is not there is told, and never replaced: NotFound, or a box where it is
    `optional`.
    """
    by_id = {entry.id: entry for entry in entries}
    chosen = selected_engine(name)
    dead = chosen if chosen not in by_id else ""
    if not chosen and not optional:
        chosen = _first(entries)
        select({name: chosen})
    key = f"engines.{name}"
    st.session_state[key] = None if dead else chosen or None
    st.selectbox(
        label,
        list(by_id),
        key=key,
        index=None if optional or dead else 0,
        format_func=lambda item: _title(by_id[item]),
        on_change=lambda: select({name: st.session_state[key] or ""}),
        placeholder="None" if optional else "Choose",
    )
    if not dead:
        return chosen
    gone = _gone(dead, "Choose one in the list.")
    if not optional:
        raise gone
    show_error(gone)
    return ""


def _gone(engine: str, remedy: str) -> NotFound:
    return NotFound(
        f"The address names the engine {engine}, which is not in this workspace.",
        remedy=f"{remedy} It may have been deleted, or the link may come from another server.",
    )


def pick_view(views: Sequence[str]) -> str:
    """One view of an engine, remembered in the address."""
    asked = str(st.query_params.get("view", ""))
    chosen = asked if asked in views else views[0]
    st.session_state[_VIEW] = chosen
    st.segmented_control("View", views, key=_VIEW, label_visibility="collapsed", on_change=_remember_view)
    return chosen


def _remember_view() -> None:
    select({"view": str(st.session_state[_VIEW] or "")})


def _first(entries: Sequence[EngineEntry]) -> str:
    return next((entry.id for entry in entries if entry.p50_ms is not None), entries[0].id)


def _title(entry: EngineEntry) -> str:
    kind = "recording" if entry.is_recording else "build"
    took = f" · {text.milliseconds(entry.p50_ms)}" if entry.p50_ms is not None else ""
    return f"{text.clean(entry.project, 30)} · {text.clean(entry.title, 50)}{took} · {kind}"


def intake(bench: Workbench, *, is_empty: bool) -> None:
    """Bring recordings in: uploads, or the samples with one click."""
    with st.expander("Import recordings", icon=":material/upload_file:", expanded=is_empty):
        st.caption(
            "Exports of trtexec (--exportLayerInfo, --exportProfile, --exportTimes), a TREx folder's files, verbose "
            "build logs, calibration caches; plain or packed with gzip. Files of one engine begin with one name; a "
            "second file of the same name is another engine's."
        )
        files = st.file_uploader(
            "Files",
            type=["json", "gz", "log", "txt", "calib", "cache"],
            accept_multiple_files=True,
            key="engines.files",
        )
        left, right = st.columns(2)
        device = left.text_input("Recorded on", key="engines.device", placeholder="NVIDIA H200")
        version = right.text_input("TensorRT version", key="engines.version", placeholder="10.3.0")
        if st.button("Import", key="engines.import", disabled=not files, icon=":material/download:"):
            try:
                job = bench.intake.submit_files([(file.name, file) for file in files], device=device, version=version)
            except InvalidInput as error:
                st.error(text.plain(str(error)))
                return
            select({"job": job.id, "view": ""})
            st.rerun()


def offer_recordings(bench: Workbench, *, promise: str) -> None:
    """Say what the page will hold, and open a recorded story with one click."""
    if dead := selected_engine("engine"):
        show_error(_gone(dead, "Build one, or import recordings."))
    st.info(f"{promise} There is no engine in the workspace yet. These were recorded on an H200 with TensorRT 8.6:")
    show_stories(bench)
    link_to("build", label="Build an engine here", icon=":material/construction:")
