"""The part of the build form with builder options; what the backend lacks is there, disabled, with the reason."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.expanders import folded_box
from pages.ui.switches_form import lacking, switch_fields, switches_form
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.option_support import option_title, why_not_option
from trt_core.domain.precision import Precision

_LEVELS = (None, 0, 1, 2, 3, 4, 5)
_HARDWARE = {"": "Only the target", "ampere_plus": "Ampere and newer", "same_compute_capability": "Same SM"}
_TIMINGS = {"": "Start from those kept for this version, GPU and driver", "off": "Time every tactic anew"}
_DRAWN = ("optimization_level", "version_compatible", "hardware_compatibility", "timing_cache")


def options_form(capabilities: Capabilities, precision: Precision) -> tuple[BuilderOptions, bool]:
    """Draw the options; the second value asks for another attempt at an engine that the store has."""
    box = folded_box("Builder options", key="build.options", icon=":material/tune:")
    if box is None:
        return BuilderOptions(), False
    with box:
        level = _level(capabilities)
        workspace_mb = st.number_input(
            "Workspace limit, MiB", 1, 1 << 20, None, key="build.workspace", placeholder="No limit", step=64
        )
        compatible = st.toggle(
            "Version compatible", key="build.compatible", **_unless("version_compatible", capabilities)
        )
        hardware = _hardware(capabilities)
        timing = _timing(capabilities)
        switches = switches_form(capabilities, precision)
        rebuild = st.toggle(
            "Build again although the store has it",
            key="build.rebuild",
            help="Makes another attempt under the same request, to see how much builds vary.",
        )
        _reasons(capabilities)
    options = BuilderOptions(
        optimization_level=level if capabilities.has_optimization_level else None,
        workspace_mb=workspace_mb,
        version_compatible=compatible and capabilities.has_version_compatibility,
        hardware_compatibility=hardware if capabilities.has_hardware_compatibility else "",
        timing_cache=timing if capabilities.has_timing_cache else "",
        **switches,
    )
    return options, rebuild


def option_fields(options: BuilderOptions) -> dict[str, Any]:
    """What these fields hold for such options, by their keys; timings from elsewhere have no field."""
    return {
        "build.level": options.optimization_level,
        "build.workspace": options.workspace_mb,
        "build.compatible": options.version_compatible,
        "build.hardware": options.hardware_compatibility,
        "build.timings": options.timing_cache if options.timing_cache in _TIMINGS else "",
        "build.rebuild": False,
        "build.options": options != BuilderOptions(),  # a folded box would leave them out
    } | switch_fields(options)


def _level(capabilities: Capabilities) -> int | None:
    return st.selectbox(
        "Optimization level",
        _LEVELS,
        key="build.level",
        format_func=lambda item: "The backend's default" if item is None else str(item),
        **_unless("optimization_level", capabilities),
    )


def _hardware(capabilities: Capabilities) -> str:
    return st.selectbox(
        "Hardware compatibility",
        list(_HARDWARE),
        key="build.hardware",
        format_func=_HARDWARE.__getitem__,
        **_unless("hardware_compatibility", capabilities),
    )


def _timing(capabilities: Capabilities) -> str:
    if not capabilities.has_timing_cache:
        st.toggle("Reuse a timing cache", key="build.timing", **_unless("timing_cache", capabilities))
        return ""
    return st.selectbox(
        "Timing cache",
        list(_TIMINGS),
        key="build.timings",
        format_func=_TIMINGS.__getitem__,
        help="Timings from another machine come in by the command line, with --timing-cache: the library reads them "
        "in native code, which no upload reaches.",
    )


def _unless(name: str, capabilities: Capabilities) -> dict[str, Any]:
    reason = why_not_option(name, capabilities)
    return {"disabled": True, "help": text.plain(reason)} if reason else {}


def _reasons(capabilities: Capabilities) -> None:
    missing = [option_title(name) for name in _DRAWN if why_not_option(name, capabilities)]
    if missing:
        st.caption(f"Without {', '.join(missing)} in {text.plain(capabilities.title)}: hover for the reason.")
    lacking(capabilities)
