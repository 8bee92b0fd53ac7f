"""A page with nothing but the graph: `?model=chain|scopes|hostile` picks it, `?light=3` highlights a node."""

from __future__ import annotations

import streamlit as st

from pages.ui.graph_component import graph_panel
from tests.analysis.view_graphs import hostile, residual_chain, scoped_encoder
from trt_core.analysis.graph_groups import GroupedGraph, group_graph

BUILDERS = {"chain": lambda: residual_chain(500), "scopes": scoped_encoder, "hostile": hostile}


@st.cache_resource
def grouped(name: str) -> GroupedGraph:
    return group_graph(BUILDERS[name](), "scope")


st.set_page_config(layout="wide")
light = [int(text) for text in st.query_params.get_all("light")]
box = graph_panel(grouped(st.query_params.get("model", "scopes")), key="models.graph", highlight=light)
st.text(f"Selected {box.label} with {box.node_count} nodes" if box else "Nothing selected")
