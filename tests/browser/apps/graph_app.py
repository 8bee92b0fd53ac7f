"""A page with nothing but the graph: `model` picks it, `light` highlights nodes."""

from __future__ import annotations

import streamlit as st

from pages.ui.graph_component import graph_panel
from tests.analysis.view_graphs import hostile, residual_chain, scoped_encoder, wide_layer
from trt_core.analysis.graph_groups import GroupedGraph, group_graph

BUILDERS = {"chain": lambda: residual_chain(500), "scopes": scoped_encoder, "hostile": hostile, "wide": wide_layer}


@st.cache_resource
def grouped(name: str) -> GroupedGraph:
    return group_graph(BUILDERS[name](), "scope")


st.set_page_config(layout="wide")
picked = st.radio(
    "Model", BUILDERS, index=list(BUILDERS).index(st.query_params.get("model", "scopes")), horizontal=True
)
light = [int(text) for text in st.query_params.get_all("light")]
shown = 2503 if st.toggle("Show node 2503") else None
box = graph_panel(grouped(picked), key="models.graph", highlight=light, show=shown)
st.text(f"Selected {box.label} with {box.node_count} nodes" if box else "Nothing selected")
