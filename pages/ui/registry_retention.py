"""Retention: rules, their dry run, and the deletion after a second look."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from pages.ui.tables import show_table
from trt_core.domain.registry import Doomed, RetentionRules
from trt_core.workbench import Workbench


def show_retention(bench: Workbench) -> None:
    """The form with its dry run below it, which is always up to date."""
    with st.expander("Delete old engines"):
        left, middle, right = st.columns(3)
        with left:
            newest = st.number_input("Keep the newest of each model", 0, 1000, 3, key="registry.newest")
        with middle:
            days = st.number_input("Candidates older than (days)", 0, 3650, 30, key="registry.days")
        with right:
            retired = st.checkbox("Retired engines of any age", value=True, key="registry.retired")
        st.caption("Approved engines stay whatever the rules say.")
        rules = RetentionRules(keep_newest=int(newest), older_than_days=float(days), retired=retired)
        gone = bench.registry.doomed(rules)
        if not gone:
            st.markdown("By these rules every engine stays.")
            return
        total = sum(item.size_bytes for item in gone)
        st.markdown(f"{text.counted(len(gone), 'engine')} would go, {text.mebibytes(total)} with their measurements:")
        rows = [
            {"Tag": item.tag, "Why": item.reason, "Size": text.mebibytes(item.size_bytes), "Id": item.build_id}
            for item in gone
        ]
        show_table(rows, key="registry.doomed", filename="retention.csv")
        if st.button("Delete these", key="registry.retain", icon=":material/delete:"):
            _confirm(bench, rules, gone)


@st.dialog("Delete these engines?")
def _confirm(bench: Workbench, rules: RetentionRules, gone: tuple[Doomed, ...]) -> None:
    with boundary("registry"):
        st.markdown(f"{text.counted(len(gone), 'engine')} and what was measured on them. There is no way back.")
        if st.button("Delete", key="registry.retain.confirm", type="primary"):
            deleted = bench.registry.retain(rules)
            st.toast(f"{text.counted(len(deleted), 'engine')} deleted.")
            st.rerun()
