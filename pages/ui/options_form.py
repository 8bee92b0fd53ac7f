"""The part of the build form with builder options; what the backend lacks is there, disabled, with the reason."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions

_LEVELS = (None, 0, 1, 2, 3, 4, 5)
_HARDWARE = {"": "Only the target", "ampere_plus": "Ampere and newer", "same_compute_capability": "Same SM"}


def options_form(capabilities: Capabilities) -> tuple[BuilderOptions, bool]:
    """Draw the options; the second value asks for another attempt at an engine that the store has."""
    with st.expander("Builder options", icon=":material/tune:"):
        level = _level(capabilities)
        workspace_mb = st.number_input(
            "Workspace limit, MiB", 1, 1 << 20, None, key="build.workspace", placeholder="No limit", step=64
        )
        compatible = st.toggle(
            "Version compatible",
            key="build.compatible",
            **_unless(
                capabilities.has_version_compatibility,
                f"{capabilities.title} cannot: the lean runtime is not part of its package.",
            ),
        )
        hardware = _hardware(capabilities)
        if not capabilities.has_timing_cache:
            st.toggle(
                "Reuse a timing cache",
                key="build.timing",
                disabled=True,
                help=text.plain(f"{capabilities.title} times no tactics, so that there is nothing to reuse."),
            )
        _reasons(capabilities)
        rebuild = st.toggle(
            "Build again although the store has it",
            key="build.rebuild",
            help="Makes another attempt under the same request, to see how much builds vary.",
        )
    options = BuilderOptions(
        optimization_level=level if capabilities.has_optimization_level else None,
        workspace_mb=workspace_mb,
        version_compatible=compatible and capabilities.has_version_compatibility,
        hardware_compatibility=hardware if capabilities.has_hardware_compatibility else "",
    )
    return options, rebuild


def _level(capabilities: Capabilities) -> int | None:
    return st.selectbox(
        "Optimization level",
        _LEVELS,
        key="build.level",
        format_func=lambda item: "The backend's default" if item is None else str(item),
        **_unless(
            capabilities.has_optimization_level,
            f"No effect: {capabilities.title} chooses kernels when the engine first runs.",
        ),
    )


def _hardware(capabilities: Capabilities) -> str:
    return st.selectbox(
        "Hardware compatibility",
        list(_HARDWARE),
        key="build.hardware",
        format_func=_HARDWARE.__getitem__,
        **_unless(
            capabilities.has_hardware_compatibility,
            f"{capabilities.title} compiles one engine for each target: choose the target instead.",
        ),
    )


def _unless(able: bool, reason: str) -> dict[str, Any]:
    return {} if able else {"disabled": True, "help": text.plain(reason)}


def _reasons(capabilities: Capabilities) -> None:
    lacking = [
        name
        for name, able in (
            ("an optimization level", capabilities.has_optimization_level),
            ("version compatibility", capabilities.has_version_compatibility),
            ("hardware compatibility", capabilities.has_hardware_compatibility),
            ("a timing cache", capabilities.has_timing_cache),
        )
        if not able
    ]
    if lacking:
        st.caption(f"Without {', '.join(lacking)} in {text.plain(capabilities.title)}: hover for the reason.")
