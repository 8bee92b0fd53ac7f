"""Registry: every engine with its parents and figures; decide, let go, take along."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import frame, verdict
from pages.ui.links import link_to
from pages.ui.registry_entry import show_entry
from pages.ui.registry_list import show_entries
from pages.ui.registry_moving import show_moving
from pages.ui.registry_retention import show_retention
from trt_core.domain.registry import EngineState

with frame("Registry", page="registry") as bench:
    entries = bench.registry.entries()
    if entries:
        approved = sum(entry.decision.state is EngineState.APPROVED for entry in entries)
        engines = "engine" if len(entries) == 1 else "engines"
        verdict(f"{len(entries)} {engines}, {approved} approved.")
        chosen = show_entries(entries)
        if chosen is not None:
            show_entry(bench, chosen)
        show_retention(bench)
    else:
        st.info("There is no engine in the workspace yet. Build one, or bring a project in below.")
        link_to("build", label="Go to Build", icon=":material/construction:")
    show_moving(bench)
