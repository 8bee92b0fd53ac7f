"""The selection: it lives in the address, so that a link carries it; every value is checked before use."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import streamlit as st

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.engine import Sm, sm_from_text
from trt_core.errors import NotFound, TrtCoreError

KINDS: dict[str, ArtifactKind] = {
    "model": ArtifactKind.MODEL,
    "variant": ArtifactKind.VARIANT,
    "build": ArtifactKind.BUILD,
    "data": ArtifactKind.DATA,
    "latency": ArtifactKind.LATENCY,
    "divergence": ArtifactKind.DIVERGENCE,
    "triage": ArtifactKind.TRIAGE,
    "sensitivity": ArtifactKind.SENSITIVITY,
    "validation": ArtifactKind.VALIDATION,
    "sweep": ArtifactKind.SWEEP,
    "inside": ArtifactKind.INSIDE,
}
ENGINES = ("engine", "against")  # of two kinds each: recordings and builds
# What goes along from page to page, in this order. `job` and `runs` belong to the page that set them.
TRAVELLING = ("model", "variant", "target", "build", "data", "latency", "divergence", "triage", "sensitivity")
_MADE_FROM_A_MODEL = (
    "variant",
    "build",
    "latency",
    "divergence",
    "triage",
    "sensitivity",
    "validation",
    "sweep",
    "inside",
    "job",
    "runs",
)
# A position inside a thing means nothing inside another one.
_INSIDE = {"model": ("layer", "node"), "build": ("layer", "node"), "divergence": ("layer",)}
_JOB_ID = re.compile(r"j-[0-9a-f]{12}")


def selected(name: str) -> str:
    """The selected id of that name (`model`, `build`, `job` ...), "" when there is none; NotFound when it is no id."""
    text = str(st.query_params.get(name, ""))
    if not text:
        return ""
    if name == "job":
        if not _JOB_ID.fullmatch(text):
            raise NotFound(f"{text[:80]!r} is not the id of a job.", remedy="Open it from the list of jobs.")
        return text
    try:
        return checked_id(text, KINDS[name])
    except NotFound as error:
        raise NotFound(
            error.message, remedy="The link may be cut: copy it again, or choose a page in the menu."
        ) from None


def selected_position(name: str, known: Collection[int], what: str) -> int | None:
    """The selected position (`layer`, `node`), one of `known`; None when there is none, NotFound for any other."""
    text = str(st.query_params.get(name, ""))
    if not text:
        return None
    # Ten digits at most: Python refuses to read thousands of them.
    if not (text.isascii() and text.isdecimal() and len(text) <= 10) or int(text) not in known:
        raise NotFound(
            f"The address names {name} {text[:20]!r}, which is not in {what}.", remedy=f"Choose a {name} in the list."
        )
    return int(text)


def selected_many(name: str, kind: ArtifactKind) -> tuple[str, ...]:
    """The selected ids under a name that holds several, separated by commas (`runs=l-…,l-…`)."""
    text = str(st.query_params.get(name, ""))
    return tuple(dict.fromkeys(checked_id(part, kind) for part in text.split(",") if part))


def selected_target() -> Sm | None:
    """The selected GPU architecture; None when there is none in the address."""
    text = str(st.query_params.get("target", ""))
    return sm_from_text(text) if text else None


def select(changes: Mapping[str, str]) -> None:
    """Change the selection; "" takes a name out.

    Another model takes out what was made from the one before, another build or run the layer chosen in that.
    """
    changed = {name for name, value in changes.items() if value != st.query_params.get(name, "")}
    if "model" in changed:
        changes = dict.fromkeys(_MADE_FROM_A_MODEL, "") | dict(changes)
    inner = [part for name, parts in _INSIDE.items() if name in changed for part in parts]
    changes = dict.fromkeys(inner, "") | dict(changes)
    for name, value in changes.items():
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def travelling(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The query of a link to another page: the selection with `changes`; values that are no ids stay behind."""
    found = {name: value for name in TRAVELLING if (value := _valid(name))}
    return {name: value for name, value in (found | dict(changes or {})).items() if value}


def _valid(name: str) -> str:
    text = str(st.query_params.get(name, ""))
    try:
        if name == "target":
            return str(sm_from_text(text).number) if text else ""
        return selected(name)
    except TrtCoreError:
        return ""
