"""The same build with normalization switched the other way: started with one click, then side by side."""

from __future__ import annotations

import streamlit as st

from pages.ui.links import link_to
from pages.ui.state import select
from pages.ui.tables import show_table
from trt_core.domain.artifacts import BuildRecord
from trt_core.workbench import Workbench


def compare_normalization(bench: Workbench, build: BuildRecord) -> None:
    """Draw both builds beside each other, or the button that makes the other one."""
    st.subheader("With and without normalization", anchor=False)
    st.caption(
        "Normalization folds BatchNormalization and makes names unique before the compiler sees the file. Without it "
        "the compiler fuses Conv, BatchNormalization and activation itself, and its record names fewer nodes."
    )
    wish = bench.outlook.counterpart(build.id)
    other = bench.builds.find(wish)
    word = "without" if build.recipe.normalize else "with"
    if other is None:
        if st.button(f"Build it {word} normalization", key="fusion.counterpart", icon=":material/compare:"):
            select({"job": bench.builds.submit(wish).id})
            st.rerun()
        return
    show_table([_row(item) for item in (build, other)], key="fusion.compare", filename=f"{build.id}-normalization.csv")
    link_to("fusion", label=f"Open the build {word} normalization", changes={"build": other.id})


def _row(record: BuildRecord) -> dict[str, object]:
    states = {f"nodes {name}": count for name, count in record.node_states.items()}
    normalized = "normalized" if record.recipe.normalize else "as uploaded"
    return {"file": normalized, "engine layers": record.layer_count, **states, "build": record.id}
