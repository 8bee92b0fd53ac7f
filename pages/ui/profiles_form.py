"""The form for optimization profiles: one row a symbol or unnamed dimension, any number of profiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.ui import text
from trt_core.domain.profile_axes import FreeAxis, Sizes, first_sizes, free_axes, profile_from_sizes, sizes_of
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidProfile

PRESETS: dict[str, Sizes] = {"Batch 1": (1, 1, 1), "Batch 1 to 8": (1, 4, 8), "Batch 1 to 32": (1, 16, 32)}
_NOT_A_WORD = re.compile(r"[^\w]+")
_LARGEST = 1 << 20
_COLUMNS = (2.2, 1, 1, 1)


@dataclass(frozen=True, kw_only=True)
class ProfilesWish:
    """What the form holds: the rows as they stand, and the profiles where all rows are valid."""

    rows: tuple[Mapping[str, Sizes], ...]
    profiles: tuple[OptimizationProfile, ...]
    is_valid: bool


def profiles_form(inputs: tuple[TensorSpec, ...], *, scope: str) -> ProfilesWish:
    """Draw the form; a row that cannot stand is called out at its own profile. `scope` begins every widget's key."""
    axes = free_axes(inputs)
    if not axes:
        st.caption("Every input has a static shape, so that no optimization profile is needed.")
        return ProfilesWish(rows=(), profiles=(), is_valid=True)
    numbers = _numbers(scope)
    rows: list[Mapping[str, Sizes]] = []
    built: list[OptimizationProfile] = []
    for position, number in enumerate(numbers, start=1):
        with st.container(border=True, gap="small"):
            sizes = _profile(axes, scope=scope, number=number, position=position, count=len(numbers))
            rows.append(sizes)
            try:
                built.append(profile_from_sizes(inputs, sizes))
            except InvalidProfile as error:
                st.error(text.plain(f"Profile {position}: {error.message} {error.remedy}"), icon=":material/error:")
    st.button(
        "Add a profile",
        key=f"{scope}.profile.add",
        icon=":material/add:",
        on_click=_add,
        args=(scope,),
        help="The compiler chooses kernels for the opt shape of each profile: narrow ranges run faster.",
    )
    return ProfilesWish(rows=tuple(rows), profiles=tuple(built), is_valid=len(built) == len(numbers))


def profiles_held(inputs: tuple[TensorSpec, ...], *, scope: str) -> ProfilesWish:
    """What the form holds before it is drawn: what was put into its fields, else what they begin with."""
    axes = free_axes(inputs)
    if not axes:
        return ProfilesWish(rows=(), profiles=(), is_valid=True)
    rows = tuple(
        {axis.key: _held(axis, place, scope, number) for place, axis in enumerate(axes)} for number in _numbers(scope)
    )
    try:
        built = tuple(profile_from_sizes(inputs, sizes) for sizes in rows)
    except InvalidProfile:  # the form says which, and why
        return ProfilesWish(rows=rows, profiles=(), is_valid=False)
    return ProfilesWish(rows=rows, profiles=built, is_valid=True)


def _numbers(scope: str) -> list[int]:
    numbers: list[int] = st.session_state.setdefault(f"{scope}.profiles", [1])
    return numbers


def _held(axis: FreeAxis, place: int, scope: str, number: int) -> Sizes:
    low, opt, high = (
        st.session_state.setdefault(_key(scope, number, place, word), first)
        for word, first in zip(("min", "opt", "max"), first_sizes(axis), strict=True)
    )
    return low, opt, high


def profile_fields(
    inputs: tuple[TensorSpec, ...], profiles: Sequence[OptimizationProfile], *, scope: str
) -> dict[str, Any]:
    """What these fields hold for such profiles, by their keys; nothing for none."""
    fields: dict[str, Any] = {f"{scope}.profiles": list(range(1, len(profiles) + 1))} if profiles else {}
    for number, profile in enumerate(profiles, start=1):
        for place, axis in enumerate(free_axes(inputs)):
            for word, size in zip(("min", "opt", "max"), sizes_of(axis, profile), strict=True):
                fields[_key(scope, number, place, word)] = size
    return fields


def _profile(axes: tuple[FreeAxis, ...], *, scope: str, number: int, position: int, count: int) -> Mapping[str, Sizes]:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Profile {position}**", width="content")
        for label, batch in PRESETS.items():
            st.button(
                label,
                key=f"{scope}.profile.{number}.preset.{batch[2]}",
                on_click=_preset,
                args=(axes, scope, number, batch),
                type="tertiary",
            )
        st.button(
            "Remove",
            key=f"{scope}.profile.{number}.remove",
            on_click=_remove,
            args=(scope, number),
            disabled=count == 1,
            help="A dynamic model needs at least one profile." if count == 1 else None,
            type="tertiary",
            icon=":material/delete:",
        )
    with st.container(key=f"sizes-{scope}-{number}", gap="small"):
        header = st.columns(_COLUMNS, vertical_alignment="bottom")
        for column, word in zip(header, ("size", "min", "opt", "max"), strict=True):
            column.caption(word)
        return {
            axis.key: _row(axis, place, scope=scope, number=number, position=position)
            for place, axis in enumerate(axes)
        }


def _row(axis: FreeAxis, place: int, *, scope: str, number: int, position: int) -> Sizes:
    columns = st.columns(_COLUMNS, vertical_alignment="center")
    columns[0].markdown(text.code(axis.key, 28), help=text.plain(axis.places_text(), 300))
    found = []
    _held(axis, place, scope, number)
    for column, word in zip(columns[1:], ("min", "opt", "max"), strict=True):
        key = _key(scope, number, place, word)
        # A screen reader says the label as it is written: no escapes in it, hence only letters and digits of the name.
        label = f"Profile {position}, {_NOT_A_WORD.sub(' ', text.clean(axis.key, 40))}, {word}"
        found.append(column.number_input(label, 1, _LARGEST, key=key, step=1, label_visibility="collapsed"))
    low, opt, high = found
    return low, opt, high


def _key(scope: str, number: int, place: int, word: str) -> str:
    return f"{scope}.profile.{number}.{place}.{word}"


def _add(scope: str) -> None:
    numbers: list[int] = st.session_state[f"{scope}.profiles"]
    st.session_state[f"{scope}.profiles"] = [*numbers, max(numbers) + 1]


def _remove(scope: str, number: int) -> None:
    numbers: list[int] = st.session_state[f"{scope}.profiles"]
    st.session_state[f"{scope}.profiles"] = [item for item in numbers if item != number]


def _preset(axes: tuple[FreeAxis, ...], scope: str, number: int, batch: Sizes) -> None:
    """Write the batch range into the rows of first dimensions; other rows keep what they hold."""
    for place, axis in enumerate(axes):
        if axis.is_batch:
            for word, size in zip(("min", "opt", "max"), batch, strict=True):
                st.session_state[_key(scope, number, place, word)] = size
