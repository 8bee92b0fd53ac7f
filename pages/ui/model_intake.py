"""Ways to bring a model in: upload, a file of the server, a sample."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from pages.ui.expanders import show_expander
from pages.ui.notices import announce
from pages.ui.state import select
from trt_core.domain.artifacts import ModelRecord
from trt_core.services.samples import Sample
from trt_core.workbench import Workbench

_MOST_LISTED = 500


def bring_in(bench: Workbench, *, expanded: bool) -> None:
    """Three tabs; what comes in becomes the selected model."""
    # A key of its own after every intake: an expander that the reader opened would stay so, before what came in.
    key = f"models.add_box.{st.session_state.get('models.taken', 0)}"
    show_expander("Add a model", partial(_ways, bench), key=key, icon=":material/add:", expanded=expanded)


def _ways(bench: Workbench) -> None:
    gallery, upload, server = st.tabs(["Samples", "Upload", "File on the server"])
    with gallery:
        _samples(bench)
    with upload:
        _upload(bench)
    with server:
        _server_file(bench)


def _samples(bench: Workbench) -> None:
    samples = bench.library.samples()
    if not samples:
        st.caption("The samples are not in this installation.")
    for start in range(0, len(samples), 3):
        for column, sample in zip(st.columns(3), samples[start : start + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                _sample(bench, sample)


def _sample(bench: Workbench, sample: Sample) -> None:
    st.markdown(f"**{text.plain(sample.title)}**  \n{text.plain(sample.sentence)}")
    if sample.note:
        st.caption(text.plain(sample.note))
    if st.button("Load", key=f"models.sample.{sample.key}", icon=":material/download:"):
        with boundary("models"), st.spinner("Reading the model and its data"):
            _taken(bench.library.add_sample(sample.key))


def _upload(bench: Workbench) -> None:
    st.session_state.setdefault("models.round", 0)
    files = st.file_uploader(
        "An .onnx file, an .onnx file with its data files, or a .zip",
        accept_multiple_files=True,
        max_upload_size=bench.settings.upload_mb,
        key=f"models.upload.{st.session_state['models.round']}",
        help="External data: choose the .onnx file and every data file together, or put them into one .zip.",
    )
    limit = text.mebibytes(bench.settings.upload_mb << 20)
    st.caption(f"At most {limit} after unpacking. Nothing in the file is run.")
    if st.button("Add to the workspace", key="models.add", type="primary", disabled=not files) and files:
        with boundary("models"), st.spinner("Reading the model"):
            record = bench.library.add_upload({file.name: file for file in files})
            st.session_state["models.round"] += 1
            _taken(record)


def _server_file(bench: Workbench) -> None:
    roots = bench.settings.model_roots
    if not roots:
        st.caption("No folder is configured. Set ENGINESCOPE_MODEL_ROOTS to the folders whose models may be picked.")
        return
    found = bench.library.server_files(most=_MOST_LISTED)
    if not found:
        st.caption(f"No .onnx file lies under {text.names([str(root) for root in roots])}.")
        return
    chosen: Path | None = st.selectbox(
        "File", found, index=None, key="models.file", format_func=lambda path: text.clean(str(path), 100)
    )
    if len(found) == _MOST_LISTED:
        st.caption(f"The first {_MOST_LISTED} files are listed.")
    if st.button("Add to the workspace", key="models.add_file", disabled=chosen is None) and chosen is not None:
        with boundary("models"), st.spinner("Reading the model"):
            _taken(bench.library.add_file(chosen))


def _taken(record: ModelRecord) -> None:
    select({"model": record.id})
    announce(f"{text.code(record.name, 40)} is in the workspace.")
    st.session_state["models.taken"] = st.session_state.get("models.taken", 0) + 1
    st.rerun()
