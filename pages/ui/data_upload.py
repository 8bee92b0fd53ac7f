"""Samples for a model: chosen and uploaded on the pages that measure."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.expanders import show_expander
from pages.ui.pickers import data_title
from pages.ui.state import select
from trt_core.domain.artifacts import ModelRecord
from trt_core.workbench import Workbench


def choose_samples(bench: Workbench, model: ModelRecord, *, key: str, label: str) -> str:
    """The id of samples to run on, "" for seeded noise; those called calibration come after the others.

    Not in the address: the data there are what Build calibrates on, and samples to measure on should be others.
    """
    sets = sorted(bench.library.data_sets(model.id), key=lambda record: "calib" in record.name.lower())
    titles = {record.id: data_title(record) for record in sets} | {"": "Seeded noise"}
    chosen = st.selectbox(label, list(titles), key=f"{key}.{model.id}", format_func=titles.__getitem__)
    return str(chosen)


def upload_data(
    bench: Workbench, model: ModelRecord, *, page: str, title: str = "Upload samples", into_address: bool = False
) -> None:
    """A folded uploader; what is added can be chosen at once, and with `into_address` is."""
    upload = partial(_upload, bench, model, page=page, into_address=into_address)
    show_expander(title, upload, key=f"{page}.data_file", icon=":material/upload:")


def _upload(bench: Workbench, model: ModelRecord, *, page: str, into_address: bool) -> None:
    st.caption(f"One array for each input: {text.names([spec.name for spec in model.inputs])}.")
    file = st.file_uploader(
        "Samples as .npz; the first axis counts samples",
        type=["npz"],
        key=f"{page}.data_upload",
        max_upload_size=bench.settings.upload_mb,
    )
    if file is not None and st.button("Use these samples", key=f"{page}.data_add"):
        record = bench.library.add_data(file, name=file.name, model_id=model.id)
        if into_address:
            select({"data": record.id})
        st.rerun()
