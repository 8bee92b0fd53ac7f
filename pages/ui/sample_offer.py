"""The way out of an empty page: the sample that fills it, in one click."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.jobs import is_under_way
from pages.ui.links import link_to
from pages.ui.pickers import pick_model, say_all_gone
from pages.ui.state import select, selected
from trt_core.domain.artifacts import DataRecord, ModelRecord
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.workbench import Workbench

SAMPLE = "digits_cnn"


def model_or_sample(bench: Workbench, *, page: str, promise: str, sample: str = SAMPLE) -> ModelRecord | None:
    """The model that the page is about; None where the workspace has none, and the way to one is drawn."""
    if bench.library.models():
        return pick_model(bench, page=page)
    offer_sample(bench, page=page, promise=promise, sample=sample)
    return None


def offer_sample(bench: Workbench, *, page: str, promise: str, sample: str = SAMPLE) -> None:
    """Say what the page will hold, and load a sample with one click."""
    say_all_gone(bench)
    st.info(f"{promise} There is no model in the workspace yet.")
    has_sample = any(known.key == sample for known in bench.library.samples())
    if has_sample and st.button(
        "Load the digits sample", key=f"{page}.sample", type="primary", icon=":material/download:"
    ):
        with st.spinner("Reading the model and its data"):
            select({"model": bench.library.add_sample(sample).id})
        st.rerun()
    link_to("models", label="Bring in a model of your own", icon=":material/deployed_code:")


def offer_build(bench: Workbench, model: ModelRecord, *, page: str, promise: str) -> None:
    """Say what the page will hold, and start a build with one click: INT8 where there are data, else FP16."""
    st.info(f"{promise} There is no build of {text.code(model.name)} yet.")
    data = next(iter(bench.library.data_sets(model.id)), None)
    precision = Precision.INT8 if data is not None else Precision.FP16
    label = f"Build it in {precision.value.upper()}"
    busy = is_under_way(bench, selected("job"))
    if st.button(label, key=f"{page}.build_now", type="primary", icon=":material/construction:", disabled=busy):
        select({"job": bench.builds.submit(_first_wish(model, precision, data)).id})
        st.rerun()
    link_to("build", label="Choose everything yourself", icon=":material/tune:")


def _first_wish(model: ModelRecord, precision: Precision, data: DataRecord | None) -> BuildSpec:
    recipe = Recipe(precision=precision)
    data_id = data.id if recipe.needs_data and data is not None else ""
    return BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=recipe, data_id=data_id))
