"""Samples for a model: one uploader, on every page that needs data."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.state import select
from trt_core.domain.artifacts import ModelRecord
from trt_core.workbench import Workbench


def upload_data(bench: Workbench, model: ModelRecord, *, page: str) -> None:
    """A folded uploader; what is added becomes the selected data."""
    with st.expander("Upload samples", icon=":material/upload:"):
        st.caption(f"One array for each input: {text.names([spec.name for spec in model.inputs])}.")
        file = st.file_uploader(
            "Samples as .npz; the first axis counts samples",
            type=["npz"],
            key=f"{page}.data_upload",
            max_upload_size=bench.settings.upload_mb,
        )
        if file is not None and st.button("Use these samples", key=f"{page}.data_add"):
            select({"data": bench.library.add_data(file, name=file.name, model_id=model.id).id})
            st.rerun()
