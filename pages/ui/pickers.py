"""Pickers: a select box each, with the address as its memory.

`pick_model(bench, page="support")` and its siblings return a record, or None after saying what to do when there is
nothing to pick. The key of the widget is `<page>.<field>`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import streamlit as st

from pages.ui import text
from pages.ui.errors import show_error
from pages.ui.links import link_to
from pages.ui.state import KINDS, select, selected, selected_position, selected_target
from trt_core.domain.artifacts import BuildRecord, DataRecord, ModelRecord, VariantRecord
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.errors import NotFound
from trt_core.workbench import Workbench

_USUAL_TARGET = Sm(major=8, minor=6)  # what a build takes when no target is named
_PLACES = {"model": "this workspace", "build": "this model's builds"}  # variant and data have their box at the model
_PICK_A_BUILD = frozenset({"fusion", "deploy"})
_PICK_A_MODEL = _PICK_A_BUILD | {"models", "support", "build", "latency", "sweeps", "divergence", "triage"}
Record = TypeVar("Record", ModelRecord, BuildRecord, DataRecord)


def settle(bench: Workbench, *, page: str) -> None:
    """Put what the page's pickers begin with into the address, before menu and chips are drawn from it.

    A picker that finds its own name missing there has the page run a second time for them.
    """
    if page in _PICK_A_MODEL and "model" not in st.query_params:
        select(_first(bench))
    if page in _PICK_A_BUILD and "build" not in st.query_params and (model_id := _known_model(bench)):
        select({"build": next((build.id for build in bench.builds.builds(model_id)), "")})


def _first(bench: Workbench) -> dict[str, str]:
    """The model of the build that the address names, else the newest; nothing in an empty workspace."""
    build_id = str(st.query_params.get("build", ""))
    named = [build for build in bench.builds.builds() if build.id == build_id] if build_id else []
    if named:
        return {"model": named[0].model_id, "build": build_id}
    return {"model": next((model.id for model in bench.library.models()), "")}


def _known_model(bench: Workbench) -> str:
    """The model in the address, "" where there is none, or one that is told of as gone."""
    asked = str(st.query_params.get("model", ""))
    return next((model.id for model in bench.library.models() if model.id == asked), "")


def pick_model(bench: Workbench, *, page: str, label: str = "Model") -> ModelRecord | None:
    """One model of the workspace; without any, an empty state that leads to the Models page."""
    found = bench.library.models()
    if not found:
        st.info("There is no model in the workspace yet. Upload one, or load a sample with one click.")
        link_to("models", label="Go to Models", icon=":material/deployed_code:")
        return None
    model = pick(found, name="model", page=page, label=label, title=model_title, required=True)
    if model is not None:
        _say_missing(bench, model, page=page)
    return model


def pick_build(bench: Workbench, model_id: str, *, page: str) -> BuildRecord | None:
    """One build of the model, the newest unless the address names another; None when there is none."""
    found = bench.builds.builds(model_id)
    if not found and (chosen := selected("build")):
        say_gone("build", chosen, "this model's builds")
    return pick(found, name="build", page=page, label="Build", title=build_title, required=True) if found else None


def pick_data(
    bench: Workbench, model_id: str, *, page: str, label: str = "Data", required: bool = False
) -> DataRecord | None:
    """One set of samples whose arrays are named like the model's inputs; None when there is none."""
    found = bench.library.data_sets(model_id)
    chosen = selected("data")
    if chosen and chosen not in {item.id for item in found} and _has_data(bench, chosen):
        select({"data": ""})  # it is another model's: no dead link, and nothing to complain of
    return pick(found, name="data", page=page, label=label, title=data_title, required=required) if found else None


def pick(
    found: Sequence[Record],
    *,
    name: str,
    page: str,
    label: str,
    title: Callable[[Record], str],
    required: bool = False,
) -> Record | None:
    """One of several records, remembered in the address under `name`; with `required` the first when none is named.

    What the address names and is not there is a box with what to do, and None: another one in its place would be taken
    for it.
    """
    by_id = {record.id: record for record in found}
    chosen = selected(name)
    if chosen and chosen not in by_id and name in _PLACES:
        say_gone(name, chosen, _PLACES[name])
    if not chosen and required:
        select({name: next(iter(by_id))})
        st.rerun()  # so that the chips above show it, too
    key = f"{page}.{name}"
    st.session_state[key] = chosen if chosen in by_id else None
    st.selectbox(
        label,
        list(by_id),
        index=0 if chosen in by_id else None,
        key=key,
        format_func=lambda item: text.clean(title(by_id[item]), 90),
        on_change=_remember,
        args=(name, key),
        placeholder="Choose",
    )
    return by_id.get(chosen)


def chosen_position(name: str, known: Collection[int], what: str) -> int | None:
    """The layer or node that the address names; one that is not there is a box, and None."""
    try:
        return selected_position(name, known, what)
    except NotFound as error:
        show_error(error)
        return None


def check_run(run_id: str, known: Collection[str]) -> None:
    """Refuse a run that is not one of the model's: NotFound, with what to do."""
    if run_id not in known:
        raise NotFound(
            f"The address names the run {run_id}, which is not one of this model's.",
            remedy="Choose a run above. It may have been deleted, or belong to another model.",
        )


def say_gone(name: str, chosen: str, where: str) -> None:
    """A red box for what the address names and is not there, with what to do."""
    remedy = f"Choose a {name} below. The one named may have been deleted, or the link may come from another server."
    show_error(NotFound(f"The address names the {name} {chosen}, which is not in {where}.", remedy=remedy))


def say_all_gone(bench: Workbench) -> None:
    """A box for the first thing that the address names and that went with the models, in a workspace without any."""
    try:
        name = next((name for name in KINDS if _is_gone(bench, name)), "")
    except NotFound as error:  # no id at all: the way to bring in a model is drawn below all the same
        show_error(error)
        return
    if name:
        remedy = "Bring in the model again: it may have been deleted, or the link may come from another server."
        verb = "are" if name == "data" else "is"
        said = f"The address names the {name} {selected(name)}, which {verb} not in this workspace."
        show_error(NotFound(said, remedy=remedy))


def _is_gone(bench: Workbench, name: str) -> bool:
    """Whether the address names such a thing; data stay when their model is deleted, all else goes with it."""
    chosen = selected(name)
    return bool(chosen) and not (name == "data" and _has_data(bench, chosen))


def _say_missing(bench: Workbench, model: ModelRecord, *, page: str) -> None:
    """A box for a variant or data that the address names and that is not there; it stays until the reader decides."""
    variant, data = selected("variant"), selected("data")
    known = {item.id for item in bench.variants.variants(model.id)} if variant else set()
    missing = [("variant", variant, "this model's variants")] if variant and variant not in known else []
    if data and not _has_data(bench, data):
        missing.append(("data", data, "this workspace"))
    for name, chosen, where in missing:
        said = f"The address names the {name} {chosen}, which {'are' if name == 'data' else 'is'} not in {where}."
        show_error(
            NotFound(said, remedy="Leave it out, or ask for a new link: it was deleted, or comes from another server.")
        )
        st.button(
            f"Leave the {name} out of the address", key=f"{page}.without_{name}", on_click=select, args=({name: ""},)
        )


def _has_data(bench: Workbench, data_id: str) -> bool:
    try:
        bench.library.data(data_id)
    except NotFound:
        return False
    return True


def _remember(name: str, key: str) -> None:
    select({name: st.session_state[key] or ""})


def pick_backend(bench: Workbench, *, page: str) -> Capabilities:
    """A backend that builds; those that cannot here are listed with the reason and what helps."""
    known = [item for item in bench.machine.capabilities() if item.backend != "ort"]
    able = [item for item in known if item.can_build] or known
    key = f"{page}.backend"
    titles = {item.backend: f"{item.title} {item.version}".strip() for item in known}
    chosen = st.selectbox("Backend", [item.backend for item in able], key=key, format_func=lambda item: titles[item])
    for item in known:
        if not item.can_build:
            reason = item.why_not("build") or "it is not installed"
            st.caption(text.plain(f"{item.title} cannot build here: {reason}"))
    return next(item for item in able if item.backend == chosen)


def pick_target(capabilities: Capabilities, *, page: str) -> Sm | None:
    """A GPU architecture that the backend builds for, remembered in the address; None where it builds for its GPU."""
    targets = list(capabilities.targets)
    if not targets:
        if capabilities.can_build:
            st.caption("This backend builds for the GPU of this machine.")
        return None
    asked = selected_target()
    if asked is not None and asked not in targets:
        st.warning(f"{text.plain(capabilities.title)} does not build for {asked}. It builds for: {_listed(targets)}.")
    default = _USUAL_TARGET if _USUAL_TARGET in targets else targets[0]
    key = f"{page}.target"
    current = asked if asked is not None and asked in targets else default or targets[0]
    st.session_state[key] = current.number
    st.selectbox(
        "Target",
        [item.number for item in targets],
        key=key,
        format_func=lambda number: target_title(next(item for item in targets if item.number == number)),
        on_change=_remember_target,
        args=(key,),
    )
    return current


def _remember_target(key: str) -> None:
    select({"target": str(st.session_state[key])})


_GENERATIONS = {75: "Turing", 80: "Ampere", 86: "Ampere", 87: "Orin", 89: "Ada", 90: "Hopper", 100: "Blackwell"}


def target_title(target: Sm) -> str:
    """`SM 8.6 (Ampere)`."""
    generation = _GENERATIONS.get(target.number, "Blackwell" if target.major == 12 else "")
    return f"{target} ({generation})" if generation else str(target)


def _listed(targets: Sequence[Sm]) -> str:
    return ", ".join(str(item) for item in targets)


def model_title(record: ModelRecord) -> str:
    """Name, size and the first digits of the hash, so that two models of one name can be told apart."""
    return f"{text.clean(record.name)} · {text.mebibytes(record.size_bytes)} · {record.sha256[:6]}"


def variant_title(record: VariantRecord) -> str:
    """`INT8 entropy · 3 kept · v-…`."""
    recipe = record.recipe
    method = f" {recipe.method.value}" if recipe.needs_data else ""
    kept = f" · {len(recipe.keep)} kept" if recipe.keep else ""
    plain = "" if recipe.normalize else " · not normalized"
    return f"{recipe.precision.value.upper()}{method}{kept}{plain} · {record.id}"


def build_title(record: BuildRecord) -> str:
    """`FP16 · SM 8.6 · attempt 2 · b-…`; an engine that nobody asked for says what it is a part of."""
    part = f" · {record.made_for}" if record.made_for else ""
    attempt = f" · attempt {record.attempt}" if record.attempt > 1 else ""
    normalized = "" if record.recipe.normalize else " · not normalized"
    return f"{record.recipe.precision.value.upper()} · {record.target}{normalized}{attempt}{part} · {record.id}"


def data_title(record: DataRecord) -> str:
    """`digits/test.npz · 5,000 samples`."""
    return f"{text.clean(record.name)} · {text.counted(record.samples, 'sample')}"
