"""The list of models, what the workspace uses, and deletion."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from pages.ui.notices import announce
from pages.ui.state import select
from pages.ui.tables import show_table
from trt_core.domain.artifacts import ModelRecord
from trt_core.workbench import Workbench


def list_px(bench: Workbench) -> int:
    """How high all of it stands, about."""
    return 200 + min(400, 36 * len(bench.library.models()) + 90)


def show_models(bench: Workbench, *, current: str) -> None:
    """All models as a table, with the workspace's use; the chosen one can be deleted."""
    st.subheader("In the workspace", anchor=False)
    usage = bench.library.usage()
    st.progress(
        min(1.0, usage.used_bytes / usage.quota_bytes),
        text=f"{text.mebibytes(usage.used_bytes)} of {text.mebibytes(usage.quota_bytes)} used "
        f"({text.mebibytes(usage.job_bytes)} by job logs), "
        f"{text.mebibytes(usage.disk_free_bytes)} free on the disk",
    )
    models = bench.library.models()
    rows = [_row(item) for item in models]
    show_table(rows, key="models.list", filename="models.csv")
    chosen = next((item for item in models if item.id == current), None)
    if chosen is not None and st.button("Delete this model", key="models.delete", icon=":material/delete:"):
        _confirm(bench, chosen)


def _row(model: ModelRecord) -> dict[str, object]:
    return {
        "Name": model.name,
        "Nodes": model.node_count,
        "Size": text.mebibytes(model.size_bytes),
        "Opset": model.opset,
        "Added": text.clock(model.created_at),
        "Sample": model.sample,
        "Id": model.id,
    }


@st.dialog("Delete this model?")
def _confirm(bench: Workbench, model: ModelRecord) -> None:
    with boundary("models"):
        doomed = bench.library.made_from(model.id)
        st.markdown(f"{text.code(model.name)} is deleted with everything that was made from it.")
        made = [f"- {text.counted(number, kind)}" for kind, number in doomed.items()]
        st.markdown("\n".join(made) or "- Nothing was made from it yet.")
        if jobs := bench.library.working_on(model.id):
            st.warning(f"{text.counted(len(jobs), 'job')} on it will be cancelled:")
            st.markdown("\n".join(f"- {text.plain(job.title, 120)}, {job.state.value}" for job in jobs))
        st.caption("Sample data stay. There is no way back.")
        if st.button("Delete", key="models.confirm", type="primary"):
            freed = bench.library.delete(model.id)
            select({"model": ""})
            announce(f"Deleted; {text.mebibytes(freed)} freed.")
            st.rerun()
