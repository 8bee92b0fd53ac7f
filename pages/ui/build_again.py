"""The build form filled from a build: a link to one opens with what it was made of, and one click asks for it again.

What stands in the form's fields is written before they are drawn, once for each visit of the page: what somebody
changes afterwards stays.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.calibration_form import implicitly
from pages.ui.options_form import option_fields
from pages.ui.precision_form import recipe_fields
from pages.ui.profiles_form import profile_fields
from pages.ui.state import select, selected
from trt_core.domain.artifacts import ArtifactKind, BuildRecord, ModelRecord
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_VISITED = "build.backend"  # a field that is always drawn: it is there once the form has been seen on this visit
_FILLED = "build.filled"  # whose profiles stand in the form
_GONE = "build.again_without"


def fill_form(bench: Workbench, model: ModelRecord) -> None:
    """Fill the form at the first sight of it: from the build in the address, else with the model's usual profile."""
    build_id, is_first = selected("build"), _VISITED not in st.session_state
    if is_first and build_id in {item.id for item in bench.builds.builds(model.id)}:
        _take(bench, model, bench.builds.build(build_id), keep_target=True)
    elif is_first or st.session_state.get(_FILLED) != model.id:
        _put(profile_fields(model.inputs, _usual(bench, model), scope=f"build.{model.id}"))
    st.session_state[_FILLED] = model.id
    if gone := st.session_state.pop(_GONE, ""):
        st.warning(text.plain(gone), icon=":material/warning:")


def offer_again(bench: Workbench, model: ModelRecord, build: BuildRecord) -> None:
    """The button that fills the form from a build, whatever stands in it; the form is drawn again with it."""
    if st.button(
        "Build again like this one",
        key="build.again",
        on_click=_take,
        args=(bench, model, build),
        icon=":material/replay:",
        help="Puts its precision, target, profiles and options into the form above. Nothing is built yet.",
    ):
        st.rerun()


def _take(bench: Workbench, model: ModelRecord, build: BuildRecord, *, keep_target: bool = False) -> None:
    request = build.request
    fields = recipe_fields(build.recipe, model.id) | option_fields(request.options)
    fields |= profile_fields(model.inputs, request.profiles, scope=f"build.{model.id}")
    if request.backend in {item.backend for item in bench.machine.capabilities() if item.can_build}:
        fields["build.backend"] = request.backend
    try:
        data_id = bench.builds.wish_of(build.id).variant.data_id
    except TrtCoreError as error:
        st.session_state[_GONE] = f"{error.message} {error.remedy}"
        data_id = ""
    fields |= implicitly(
        request.options, data_id if data_id.startswith(ArtifactKind.CACHE.value) else "", has_data=bool(data_id)
    )
    _put(fields)
    changes = {"data": data_id} if data_id.startswith(ArtifactKind.DATA.value) else {}
    if request.target is not None and not (keep_target and st.query_params.get("target")):
        changes["target"] = str(request.target.number)
    select(changes)


def _usual(bench: Workbench, model: ModelRecord) -> tuple[OptimizationProfile, ...]:
    """What is built where nobody gives a profile; none where the model can have none."""
    wish = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32)))
    try:
        return bench.builds.resolved(wish).profiles
    except TrtCoreError:
        return ()


def _put(fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        st.session_state[key] = value
