"""Which way of running it fits, with the reader's own numbers beside it."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.tables import show_table
from trt_core.workbench import Workbench


def show_topologies(bench: Workbench, build_id: str) -> None:
    """One card a way, then the measurements of this model."""
    st.subheader("Which way fits", anchor=False)
    ways = bench.deploy.topologies(build_id)
    for row in (ways[:3], ways[3:]):
        for column, way in zip(st.columns(3), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                st.markdown(f"**{way.title}**")
                st.markdown(f"Fits when: {way.fits}")
                st.markdown(f"Costs: {way.costs}")
                st.caption(f"Files: {way.files}")
                if way.not_here:
                    st.markdown(f":orange-badge[Not as it is] {way.not_here}")
    measured = bench.deploy.measured(build_id)
    if not measured:
        st.caption("No latency of this model has been measured yet: the Latency page puts your own numbers here.")
        return
    st.markdown("Your own numbers of this model, each under the conditions in its name:")
    rows = [
        {
            "Run": label,
            "p50": text.milliseconds(summary.p50_ms),
            "p99": text.milliseconds(summary.p99_ms),
            "Inferences a second": text.figure(summary.throughput_per_s),
            "GPUs or machines for 1,000/s": -(-1000 // max(summary.throughput_per_s, 1e-9)),
        }
        for label, summary in measured
    ]
    show_table(rows, key="deploy.measured", filename="measured.csv")
    st.caption(text.plain("The last column divides, and assumes that load spreads evenly: leave room above it."))
