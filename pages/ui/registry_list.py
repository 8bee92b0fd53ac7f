"""The table of engines, with search and filter."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.tables import show_table
from trt_core.domain.registry import EngineState, Entry
from trt_core.services.registry import matches


def show_entries(entries: list[Entry]) -> Entry | None:
    """Draw those that fit the search; the chosen one, or the only one."""
    left, right = st.columns([2, 1])
    with left:
        words = st.text_input(
            "Search", key="registry.search", placeholder="Words in tag, name, notes, GPU or id", max_chars=200
        )
    with right:
        states = st.multiselect(
            "State", list(EngineState), key="registry.states", format_func=lambda item: item.value.capitalize()
        )
    found = [entry for entry in entries if matches(entry, words) and (not states or entry.decision.state in states)]
    if not found:
        st.caption("No engine fits. Take a word out.")
        return None
    rows = [_row(entry) for entry in found]
    place = show_table(rows, key="registry.list", filename="registry.csv", selectable=True)
    if place is not None and place < len(found):
        return found[place]
    if len(found) == 1:
        return found[0]
    st.caption("Choose a row to see its parents and to decide about it.")
    return None


def _row(entry: Entry) -> dict[str, object]:
    build = entry.build
    return {
        "Tag": entry.tag,
        "State": entry.decision.state.value,
        "Model": entry.model_name,
        "Backend": f"{build.request.backend} {build.backend_version}",
        "Target": build.target,
        "Latency": entry.latency[0].text if entry.latency else "not measured",
        "Accuracy": entry.accuracy[0].text if entry.accuracy else "not validated",
        "Size": text.mebibytes(build.engine_bytes),
        "Built": text.clock(build.created_at),
        "Notes": entry.decision.notes,
        "Built as": build.made_for or "asked for",
        "From elsewhere": entry.decision.imported,
        "Id": build.id,
    }
