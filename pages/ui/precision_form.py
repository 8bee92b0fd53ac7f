"""The part of the build form that decides the file: precision, calibration, nodes kept, normalization."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.calibration_form import cache_shelf, pick_cache, wants_implicit
from pages.ui.data_upload import upload_data
from pages.ui.findings import show_findings
from pages.ui.narrowing import narrowed
from pages.ui.pickers import pick_data
from pages.ui.state import select, selected
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.artifacts import CacheRecord, DataRecord, ModelRecord
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.precision import ADVISED_CALIBRATION_SAMPLES, CalibrationMethod, KeepRule, Precision, Recipe
from trt_core.domain.precision_support import why_not_precision
from trt_core.workbench import Workbench

_METHODS = {
    CalibrationMethod.ENTROPY: "the range that loses least information, which may clip what is rare and large",
    CalibrationMethod.MINMAX: "everything that was seen: nothing is clipped, and few large values widen all steps",
    CalibrationMethod.PERCENTILE: "clips the rarest large values, whatever they carry",
}
_WHICH = (
    "No method suits every network, with attention or without. In INT8 the transformer among the samples keeps most of "
    "its accuracy by entropy, although that leaves the largest rounding errors, and least by MinMax. FP8 has "
    "exponents, so that MinMax serves it well. Validate what you choose on labelled samples."
)
_PRECISIONS = tuple(item for item in Precision if item is not Precision.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class RecipeWish:
    """The recipe as far as it is decided, its data or cache, and why it cannot be used yet ("" when it can).

    `implicit` leaves the choice of INT8 layers to TensorRT.
    """

    recipe: Recipe
    data: DataRecord | None
    missing: str = ""
    cache: CacheRecord | None = None
    implicit: bool = False

    @property
    def data_id(self) -> str:
        """What calibrates it, "" for nothing."""
        chosen = self.cache or self.data
        return chosen.id if chosen is not None else ""


def precision_form(bench: Workbench, model: ModelRecord, capabilities: Capabilities, target: Sm | None) -> RecipeWish:
    """Draw what a reader sees first: precision, calibration data and method."""
    precision = _precision(capabilities, target)
    rest = Precision.FP16
    method, percentile = CalibrationMethod.ENTROPY, 99.99
    data = None
    if precision.is_quantized:
        rest = _rest(precision)
    implicit, cache, wants_cache = wants_implicit(capabilities, precision), None, False
    if implicit:
        cache, wants_cache = pick_cache(bench, model)
    if cache is not None:
        method = cache.method
    elif Recipe(precision=precision).needs_data and not wants_cache:
        data, method, percentile = _calibration(bench, model, precision)
    recipe = Recipe(precision=precision, rest=rest, method=method, percentile=percentile)
    what = "a calibration cache" if wants_cache else "calibration data"
    wish = RecipeWish(recipe=recipe, data=data, cache=cache, implicit=implicit)
    if not recipe.needs_data or wish.data_id:
        return wish
    missing = f"{PRECISION_LABELS[precision]} quantizes activations: choose or upload {what}."
    return replace(wish, missing=missing)


def file_form(bench: Workbench, model: ModelRecord, capabilities: Capabilities, wish: RecipeWish) -> RecipeWish:
    """Draw the rest: nodes kept, normalization, attention, and scales of a cache; the wish with them."""
    precision = wish.recipe.precision
    keep = _kept(bench, model, precision)
    normalize = st.toggle(
        "Normalize the file first",
        value=True,
        key="build.normalize",
        help="Folds BatchNormalization into the convolution before it, folds constants and gives every node a unique "
        "name, so that the compiler's records map to nodes. Switch it off to see the compiler fuse them itself.",
    )
    attention = _attention(precision, implicit=wish.implicit)
    recipe = replace(wish.recipe, keep=keep, normalize=normalize, attention=attention)
    if precision is Precision.INT8 and not capabilities.has_implicit_calibration:
        cache_shelf(bench, model, recipe)
    return replace(wish, recipe=recipe)


def file_fields_differ(model_id: str) -> bool:
    """Whether something stands in these fields that is not what they begin with."""
    state = st.session_state
    kept, attention = state.get(f"build.{model_id}.keep"), state.get("build.attention")
    return bool(kept or attention) or not state.get("build.normalize", True)


def recipe_fields(recipe: Recipe, model_id: str) -> dict[str, Any]:
    """What these fields hold for a recipe, by their keys; rules of several precisions take that of the first."""
    return {
        "build.wanted": recipe.precision.value,
        "build.rest": recipe.rest.value,
        "build.method": recipe.method.value,
        "build.percentile": recipe.percentile,
        "build.normalize": recipe.normalize,
        "build.attention": recipe.attention,
        f"build.{model_id}.keep": [rule.node for rule in recipe.keep],
        "build.keep_in": recipe.keep[0].precision.value if recipe.keep else recipe.rest.value,
    }


def _attention(precision: Precision, *, implicit: bool) -> bool:
    """Whether MatMuls of two activations are quantized, too; a library that calibrates by itself decides that alone."""
    if implicit or not Recipe(precision=precision).needs_data:
        return False
    return st.toggle(
        "Quantize attention products, too",
        key="build.attention",
        help="MatMuls of two activations, whose inputs then have Q/DQ pairs. Off: the fused attention kernel runs in "
        "what is not quantized.",
    )


def _precision(capabilities: Capabilities, target: Sm | None) -> Precision:
    reasons = {item: why_not_precision(item, capabilities, target) for item in _PRECISIONS}
    able = [item for item in _PRECISIONS if not reasons[item]]
    wanted = st.session_state.get("build.wanted", Precision.FP16.value)
    chosen = next((item for item in able if item.value == wanted), able[0] if able else Precision.FP32)
    st.markdown("**Precision**")
    with st.container(horizontal=True, gap="xsmall"):
        for item in _PRECISIONS:
            st.button(
                PRECISION_LABELS[item],
                key=f"build.precision.{item.value}",
                type="primary" if item is chosen else "secondary",
                disabled=bool(reasons[item]),
                help=text.plain(reasons[item]) or None,
                on_click=_want,
                args=(item,),
            )
    if capabilities.can_build and (refused := list(dict.fromkeys(reason for reason in reasons.values() if reason))):
        st.caption(text.plain(" ".join(refused)))
    return chosen


def _want(precision: Precision) -> None:
    st.session_state["build.wanted"] = precision.value


def _rest(precision: Precision) -> Precision:
    chosen = st.segmented_control(
        "What stays unquantized runs in",
        [Precision.FP16.value, Precision.FP32.value],
        default=Precision.FP16.value,
        key="build.rest",
        format_func=str.upper,
        help=f"Nodes that {PRECISION_LABELS[precision]} does not cover, and everything between its Q/DQ pairs.",
    )
    return Precision(chosen or Precision.FP16.value)


def _calibration(
    bench: Workbench, model: ModelRecord, precision: Precision
) -> tuple[DataRecord | None, CalibrationMethod, float]:
    st.markdown(f"**Calibration** chooses the {PRECISION_LABELS[precision]} range of every activation")
    _prefer_calibration(bench, model)
    data = pick_data(bench, model.id, page="build", label="Calibration data", required=True)
    if data is None:
        names = text.names([spec.name for spec in model.inputs])
        st.info(f"No data for this model yet. Upload an `.npz` with one array for each input: {names}.")
    upload_data(bench, model, page="build", title="Upload calibration data", into_address=True)
    if data is not None:
        _judge(data)
    values = [item.value for item in _METHODS]
    chosen = st.segmented_control(
        "Method", values, default=values[0], key="build.method", format_func=_method_label, help=_WHICH
    )
    method = CalibrationMethod(chosen or values[0])
    st.caption(f"{_method_label(method.value)}: {_METHODS[method]}.")
    percentile = 99.99
    if method is CalibrationMethod.PERCENTILE:
        percentile = st.number_input("Percentile", 50.1, 100.0, percentile, 0.01, key="build.percentile", format="%.3f")
    return data, method, percentile


def _prefer_calibration(bench: Workbench, model: ModelRecord) -> None:
    """Begin with a set that calls itself calibration: ranges from test data would flatter the test."""
    named = [item for item in bench.library.data_sets(model.id) if "calib" in item.name.lower()]
    if named and not selected("data"):
        select({"data": named[0].id})


def _method_label(value: str) -> str:
    return {"minmax": "MinMax"}.get(value, value.capitalize())


def _judge(data: DataRecord) -> None:
    if data.samples < ADVISED_CALIBRATION_SAMPLES:
        st.warning(
            f"{text.counted(data.samples, 'sample')}; NVIDIA advises {ADVISED_CALIBRATION_SAMPLES} or more for INT8. "
            "Ranges from few samples miss the rare large values, which are then clipped.",
            icon=":material/warning:",
        )
    if data.findings:
        show_findings(data.findings)


def _kept(bench: Workbench, model: ModelRecord, precision: Precision) -> tuple[KeepRule, ...]:
    if precision in (Precision.FP32, Precision.TF32):
        return ()
    ops = {node.name: node.op_type for node in bench.library.graph(model.id).nodes}
    key = f"build.{model.id}.keep"
    labels = {name: f"{name} · {op}" for name, op in ops.items()}
    offer = narrowed(labels, key=f"{key}.find", find="Find nodes to keep", chosen=st.session_state.get(key, ()))
    names = st.multiselect(
        "Nodes to keep in higher precision",
        offer.options,
        key=key,
        filter_mode=offer.filter_mode,
        format_func=lambda name: f"{text.clean(name, 48)} · {text.clean(ops[name], 24)}",
        placeholder="None: type to search by name or op" if offer.filter_mode else "None: choose among what was found",
        help="Choose the nodes that lose most on the Divergence page.",
    )
    if not names:
        return ()
    choices = [Precision.FP16, Precision.FP32] if precision.is_quantized else [Precision.FP32]
    values = [item.value for item in choices]
    kept: str | None = values[0]
    if len(values) > 1:
        kept = st.segmented_control(
            "Keep them in", values, default=values[0], key="build.keep_in", format_func=str.upper
        )
    return tuple(KeepRule(node=name, precision=Precision(kept or values[0])) for name in names)
