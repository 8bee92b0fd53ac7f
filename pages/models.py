"""Models: bring one in, see what it is, delete it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui.frame import frame
from pages.ui.model_card import show_model
from pages.ui.model_intake import bring_in
from pages.ui.model_list import list_px, show_models
from pages.ui.pickers import pick_model, say_all_gone
from pages.ui.seen import show_when_seen
from pages.ui.state import selected

with frame("Models", page="models") as bench:
    has_models = bool(bench.library.models())
    if not has_models:
        say_all_gone(bench)
        st.markdown("Bring in an ONNX model to see its graph, its inputs and what TensorRT makes of it.")
    bring_in(bench, expanded=not has_models)
    if has_models:
        model = pick_model(bench, page="models")
        if model is not None:
            show_model(bench, model)
        below = partial(show_models, bench, current=selected("model"))
        show_when_seen(below, key="models.all", height=list_px(bench), at_once=model is None)
