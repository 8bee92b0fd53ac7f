"""The build form as a whole: what is wished, and whether it can be built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import text
from pages.ui.build_again import fill_form
from pages.ui.jobs import asked_already
from pages.ui.options_form import options_form
from pages.ui.pickers import pick_backend, pick_target
from pages.ui.precision_form import RecipeWish, file_fields_differ, file_form, precision_form
from pages.ui.profiles_form import profiles_form, profiles_held
from pages.ui.seen import is_seen
from pages.ui.state import select, selected
from trt_core.domain.artifacts import CacheRecord, DataRecord, ModelRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.jobs import JobKind
from trt_core.domain.profile_axes import Sizes
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import InvalidProfile, TrtCoreError
from trt_core.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class BuildWish:
    """What the form holds: a wish that can be built, else the reason; and what the summary draws."""

    spec: BuildSpec | None
    data: DataRecord | None
    cache: CacheRecord | None
    rows: tuple[Mapping[str, Sizes], ...]
    at_button: DeltaGenerator  # above it, where the eye is when it was pressed


def build_form(bench: Workbench, model: ModelRecord) -> BuildWish:
    """Draw the form and its button; submitting puts the job into the address."""
    fill_form(bench, model)
    capabilities = pick_backend(bench, page="build")
    target = pick_target(capabilities, page="build")
    wish = precision_form(bench, model, capabilities, target)
    is_drawn = is_seen(key="build.shapes", height=600, at_once=_is_near(model, wish))
    if is_drawn:
        wish = file_form(bench, model, capabilities, wish)
        st.markdown("**Optimization profiles**: the shapes that the engine is built for")
        profiles = profiles_form(model.inputs, scope=f"build.{model.id}")
    else:
        profiles = profiles_held(model.inputs, scope=f"build.{model.id}")
    at_profiles = st.container()
    options, rebuild = BuilderOptions(), False
    if is_drawn:
        options, rebuild = options_form(capabilities, wish.recipe.precision)
    spec, reason = None, wish.missing
    if not profiles.is_valid:
        reason = "An optimization profile is not valid: see the red line above."
    elif not reason:
        spec = BuildSpec(
            variant=QuantizeSpec(model_id=model.id, recipe=wish.recipe, data_id=wish.data_id),
            backend=capabilities.backend,
            target=target,
            profiles=profiles.profiles,
            options=replace(options, calibration="implicit" if wish.implicit else ""),
            rebuild=rebuild,
        )
        refusal = _refusal(bench, json.dumps(to_plain(spec), sort_keys=True), spec)
        if refusal is not None:
            reason = refusal.message
            shown = at_profiles if isinstance(refusal, InvalidProfile) else st.container()
            shown.error(text.plain(f"{refusal.message} {refusal.remedy}"), icon=":material/error:")
            spec = None
    at_button = st.container()
    if is_drawn:
        _submit(bench, spec, reason)
    return BuildWish(spec=spec, data=wish.data, cache=wish.cache, rows=profiles.rows, at_button=at_button)


def _is_near(model: ModelRecord, wish: RecipeWish) -> bool:
    """Whether the rest of the form is drawn at once: it is in the window, or holds what somebody put there.

    What quantizes has so many fields above that the rest is below most windows; it takes as long to draw as they do.
    """
    is_filled = file_fields_differ(model.id) or bool(st.session_state.get("build.options"))
    return not wish.recipe.precision.is_quantized or is_filled or bool(selected("job"))


@st.cache_data(max_entries=256, show_spinner=False)
def _refusal(_bench: Workbench, wish: str, _spec: BuildSpec) -> TrtCoreError | None:  # noqa: ARG001 - the cache's key
    """Why the workbench would refuse this wish; stored models do not change, so that shapes are inferred once."""
    try:
        _bench.builds.check(_spec)
    except TrtCoreError as error:
        return error
    return None


def _submit(bench: Workbench, spec: BuildSpec | None, reason: str) -> None:
    busy = asked_already(bench, JobKind.BUILD, bench.builds.resolved(spec)) if spec is not None else ""
    pressed = st.button(
        "Build the engine",
        key="build.submit",
        type="primary",
        disabled=spec is None or bool(busy),
        help=text.plain(reason) or busy or None,
        icon=":material/construction:",
        width="stretch",
    )
    if busy:
        st.caption(busy)
    if pressed and spec is not None:
        select({"job": bench.builds.submit(spec).id, "build": "", "variant": ""})
        st.rerun()
