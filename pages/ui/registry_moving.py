"""A project as one file: out of this workspace, into another."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from pages.ui.pickers import model_title
from trt_core.workbench import Workbench


def show_moving(bench: Workbench) -> None:
    """Export and import."""
    with st.expander("Export or import a project"):
        left, right = st.columns(2, gap="large")
        with left, boundary("registry"):
            _export(bench)
        with right, boundary("registry"):
            _import(bench)


def _export(bench: Workbench) -> None:
    models = {item.id: item for item in bench.library.models()}
    if not models:
        st.caption("There is no model to export.")
        return
    model_id = st.selectbox(
        "Model", list(models), key="registry.export", format_func=lambda item: text.clean(model_title(models[item]), 90)
    )
    st.caption("With its variants, engines, runs and data, each by its hash.")
    st.download_button(
        "Export",
        data=lambda: _exported(bench, model_id),
        file_name=f"{model_id}.zip",
        mime="application/zip",
        key="registry.export.go",
        on_click="ignore",
        icon=":material/download:",
    )


def _exported(bench: Workbench, model_id: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "project.zip")
        bench.registry.export(model_id, path)
        return path.read_bytes()


def _import(bench: Workbench) -> None:
    upload = st.file_uploader("Project", type=["zip"], key="registry.import")
    st.caption("Every hash is verified before anything is kept. Engines in it are marked as from elsewhere.")
    if upload is None or not st.button("Import", key="registry.import.go", type="primary"):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "project.zip")
        path.write_bytes(upload.getbuffer())
        found = bench.registry.bring_in(path)
    added = text.counted(len(found.added), "artifact")
    st.success(f"{added} added, {len(found.present)} were here already.")
