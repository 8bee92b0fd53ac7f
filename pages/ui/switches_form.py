"""The builder's further switches: those that the backend has, and the others by name with the reason."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import text
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.option_support import option_title, why_not_option
from trt_core.domain.precision import Precision

_SWITCHES = ("sparsity", "refit", "memory_pools_mb", "tactic_sources", "dla_core", "plugins")
_POOLS = {
    "tactic_dram": "Memory that tactics may take while they are timed, MiB",
    "dla_managed_sram": "DLA managed SRAM, MiB",
    "dla_local_dram": "DLA local DRAM, MiB",
    "dla_global_dram": "DLA global DRAM, MiB",
}


def switches_form(capabilities: Capabilities, precision: Precision) -> dict[str, Any]:
    """Draw the switches; fields of `BuilderOptions`."""
    chosen: dict[str, Any] = {"tf32": _tf32(capabilities, precision)}
    able = [name for name in _SWITCHES if not why_not_option(name, capabilities)]
    if "sparsity" in able:
        chosen["sparsity"] = st.toggle(
            "Try tactics for 2:4 sparse weights",
            key="build.sparsity",
            help="They are used where the weights have two zeros in each four; nothing is pruned.",
        )
    if "refit" in able:
        chosen["refit"] = st.toggle(
            "Weights can be exchanged in the engine",
            key="build.refit",
            help="Refit: constants are not folded into kernels, which may cost speed.",
        )
    if "tactic_sources" in able:
        chosen["tactic_sources"] = _tactic_sources(capabilities)
    if "dla_core" in able:
        chosen["dla_core"] = _dla(capabilities)
    if "memory_pools_mb" in able:
        chosen["memory_pools_mb"] = _pools(capabilities, with_dla=chosen.get("dla_core") is not None)
    if "plugins" in able:
        chosen["plugins"] = _plugins(capabilities)
    return chosen


def switch_fields(options: BuilderOptions) -> dict[str, Any]:
    """What these fields hold for such options, by their keys."""
    limits = dict(options.memory_pools_mb)
    return {
        "build.tf32": options.tf32,
        "build.sparsity": options.sparsity,
        "build.refit": options.refit,
        "build.sources": list(options.tactic_sources),
        "build.dla": options.dla_core,
        "build.plugins": list(options.plugins),
    } | {f"build.pool.{name}": limits.get(name) for name in _POOLS}


def lacking(capabilities: Capabilities) -> None:
    """Name what the backend does not have, each with its reason."""
    reasons = {option_title(name): why_not_option(name, capabilities) for name in _SWITCHES}
    if lines := [f"- **{title}**: {text.plain(reason)}" for title, reason in reasons.items() if reason]:
        st.caption("Not here:\n" + "\n".join(lines))


def _tf32(capabilities: Capabilities, precision: Precision) -> bool:
    if precision in (Precision.FP32, Precision.TF32) or why_not_option("tf32", capabilities):
        return False
    return st.toggle(
        "Layers that stay in FP32 may run in TF32",
        key="build.tf32",
        help="Off: they keep all 23 bits of the mantissa. For an FP32 build this is the precision TF32.",
    )


def _tactic_sources(capabilities: Capabilities) -> tuple[str, ...]:
    chosen = st.multiselect(
        "Tactic sources",
        capabilities.tactic_sources,
        key="build.sources",
        placeholder="The library's own choice",
        help="Only tactics of these are timed. Listed are those whose libraries are there.",
    )
    return tuple(sorted(chosen))


def _dla(capabilities: Capabilities) -> int | None:
    return st.selectbox(
        "DLA core",
        [None, *range(capabilities.dla_cores)],
        key="build.dla",
        format_func=lambda core: "None: everything on the GPU" if core is None else f"Core {core}, else the GPU",
    )


def _pools(capabilities: Capabilities, *, with_dla: bool) -> tuple[tuple[str, int], ...]:
    found = []
    for name in capabilities.memory_pools:
        if name.startswith("dla") and not with_dla:
            continue
        size_mb = st.number_input(
            _POOLS[name], 1, 1 << 20, None, key=f"build.pool.{name}", placeholder="No limit", step=64
        )
        if size_mb is not None:
            found.append((name, size_mb))
    return tuple(found)


def _plugins(capabilities: Capabilities) -> tuple[str, ...]:
    chosen = st.multiselect(
        "Plugin libraries",
        capabilities.plugins,
        key="build.plugins",
        placeholder="All that the server's configuration names",
        help="Native code of the operator's. An upload is never loaded.",
    )
    return tuple(sorted(chosen))
