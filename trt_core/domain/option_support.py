"""Which builder options a backend has, and why not."""

from __future__ import annotations

from dataclasses import fields

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision

_TITLES = {
    "optimization_level": "an optimization level",
    "version_compatible": "version compatibility",
    "hardware_compatibility": "hardware compatibility",
    "timing_cache": "a timing cache",
    "calibration": "implicit calibration",
    "sparsity": "sparsity",
    "refit": "refit",
    "memory_pools_mb": "memory pools",
    "tactic_sources": "tactic sources",
    "dla_core": "a DLA core",
    "plugins": "plugin libraries",
    "tf32": "TF32",
}


def option_title(name: str) -> str:
    """An option in a sentence: `a DLA core`."""
    return _TITLES[name]


def why_not_option(name: str, capabilities: Capabilities) -> str:
    """Why a backend does not take an option of `BuilderOptions`, "" when it does."""
    able = {
        "optimization_level": capabilities.has_optimization_level,
        "version_compatible": capabilities.has_version_compatibility,
        "hardware_compatibility": capabilities.has_hardware_compatibility,
        "timing_cache": capabilities.has_timing_cache,
        "calibration": capabilities.has_implicit_calibration,
        "sparsity": capabilities.has_sparsity,
        "refit": capabilities.has_refit,
        "memory_pools_mb": bool(capabilities.memory_pools),
        "tactic_sources": bool(capabilities.tactic_sources),
        "dla_core": capabilities.dla_cores > 0,
        "plugins": bool(capabilities.plugins),
        "tf32": Precision.TF32 in capabilities.precisions,
    }
    return "" if able.get(name, True) else _REASONS[name].format(title=capabilities.title.partition(",")[0])


_REASONS = {
    "optimization_level": "No effect: {title} chooses kernels when the engine first runs.",
    "version_compatible": "{title} cannot: the lean runtime is not part of its package.",
    "hardware_compatibility": "{title} compiles one engine for each target: choose the target instead.",
    "timing_cache": "{title} times no tactics, so that there is nothing to reuse.",
    "calibration": "{title} has no implicit calibration: INT8 is carried by Q/DQ pairs in the ONNX.",
    "sparsity": "{title} chooses kernels when the engine first runs: there are no tactics to try ahead of time.",
    "refit": "{title} compiles without a GPU here, and an engine whose weights can be exchanged needs one.",
    "memory_pools_mb": "{title} times no tactics, which is what such a pool would be for.",
    "tactic_sources": "{title} times no tactics, so that there are no sources to choose.",
    "dla_core": "{title} finds no DLA here: Jetson's Xavier and Orin modules have one.",
    "plugins": "No plugin library is named: the operator of a server with TensorRT sets ENGINESCOPE_TENSORRT_PLUGINS.",
    "tf32": "{title} has no TF32.",
}


def unsupported_option(options: BuilderOptions, capabilities: Capabilities) -> str:
    """The first reason against what was asked for beside the defaults, "" when there is none.

    Options without effect on the engine (level, timing cache) are no reason: a backend notes them.
    """
    for item in fields(options):
        asked = getattr(options, item.name)
        if item.name in ("optimization_level", "timing_cache", "workspace_mb") or asked == item.default:
            continue
        if reason := why_not_option(item.name, capabilities):
            return reason
    return _not_there(options, capabilities)


def _not_there(options: BuilderOptions, capabilities: Capabilities) -> str:
    """A value that the backend does not have, of an option that it has."""
    title = capabilities.title.partition(",")[0]
    for what, asked, there in (
        ("memory pool", [name for name, _ in options.memory_pools_mb], capabilities.memory_pools),
        ("tactic source", options.tactic_sources, capabilities.tactic_sources),
        ("plugin library", options.plugins, capabilities.plugins),
    ):
        for name in asked:
            if name not in there:
                return f"{title} has no {what} {name!r} here. It has: {', '.join(there)}."
    if options.dla_core is not None and options.dla_core >= capabilities.dla_cores:
        return f"There is no DLA core {options.dla_core}: this machine has {capabilities.dla_cores}, counted from 0."
    return ""


def why_not_dla(precision: Precision, options: BuilderOptions) -> str:
    """Why a DLA core does not take this precision, "" when it does or none was asked for."""
    if options.dla_core is None or precision in (Precision.FP16, Precision.INT8):
        return ""
    return f"A DLA core runs FP16 and INT8, not {precision.value.upper()}."
