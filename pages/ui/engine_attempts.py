"""Attempts at one build request: how far time, bytes and layers spread."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.state import select
from pages.ui.tables import show_table
from trt_core.domain.jobs import Job
from trt_core.workbench import Workbench


def attempted(job: Job) -> None:
    """Show the spread again once another attempt is there."""
    del job
    select({"job": ""})
    st.rerun()


def show_attempts(bench: Workbench, build_id: str) -> None:
    """What stays the same over the attempts, what does not, and a button for one more."""
    found = bench.engines.rebuilds(build_id)
    count = len(found.attempts)
    if count == 1:
        st.info("This request was built once. Further attempts show how far engines of one request differ.")
    else:
        same = "every layer is the same" if found.same_layers else f"{len(found.changes)} layers differ"
        st.markdown(
            f"**{text.counted(count, 'attempt')}, {text.counted(found.distinct_engines, 'distinct engine')}; {same}.** "
            f"Building took {text.seconds(found.mean_s)} ± {text.seconds(found.std_s)}."
        )
    rows = [
        {"attempt": place, "build": item, "seconds": round(seconds, 3), "bytes": size}
        for place, (item, seconds, size) in enumerate(
            zip(found.attempts, found.seconds, found.engine_bytes, strict=True), start=1
        )
    ]
    show_table(rows, key="engines.attempts", filename=f"{build_id}-attempts.csv")
    if found.changes:
        changes = [
            {
                "layer": change.layer,
                "differs in": change.what,
                "values": "; ".join(f"{value} ({times})" for value, times in change.values),
            }
            for change in found.changes
        ]
        show_table(changes, key="engines.changes", filename=f"{build_id}-changes.csv", height=360)
    if st.button("Build once more", key="engines.again", icon=":material/replay:"):
        select({"job": bench.engines.another_attempt(build_id).id})
        st.rerun()
