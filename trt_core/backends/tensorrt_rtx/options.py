"""Builder options that TensorRT-RTX ignores or cannot do: said, never dropped in silence."""

from __future__ import annotations

from trt_core.domain.engine import BuilderOptions
from trt_core.domain.findings import Finding, Severity
from trt_core.errors import UnsupportedRequest

_LACKING = {
    "sparsity": "sparsity",
    "refit": "refit without a GPU",
    "memory_pools_mb": "memory pools beside the workspace's",
    "tactic_sources": "tactic sources to choose",
    "dla_core": "DLA",
    "plugins": "plugin libraries",
}


def check_options(options: BuilderOptions) -> tuple[Finding, ...]:
    """Notes on options without effect; UnsupportedRequest for those that would give another engine than asked for."""
    if options.version_compatible:
        raise UnsupportedRequest(
            "TensorRT-RTX cannot build a version-compatible engine: its lean runtime is not part of the package.",
            remedy="Build without version compatibility, or use TensorRT on a GPU.",
        )
    if options.hardware_compatibility:
        raise UnsupportedRequest(
            f"TensorRT-RTX has no hardware compatibility level (asked: {options.hardware_compatibility}).",
            remedy="Choose the target architecture instead: one engine is compiled for each target.",
        )
    if options.calibration:
        raise UnsupportedRequest(
            "TensorRT-RTX has no implicit calibration.",
            remedy="Quantize the model: the INT8 variant carries its ranges as Q/DQ pairs.",
        )
    usual = BuilderOptions()
    for name, title in _LACKING.items():
        if getattr(options, name) != getattr(usual, name):
            raise UnsupportedRequest(f"TensorRT-RTX has no {title} here.", remedy="Leave it out.")
    return tuple(_without_effect(options))


def _without_effect(options: BuilderOptions) -> list[Finding]:
    found = []
    if options.optimization_level is not None:
        found.append(
            Finding(
                rule="rtx-optimization-level-ignored",
                severity=Severity.NOTE,
                message=f"Optimization level {options.optimization_level} has no effect: "
                "TensorRT-RTX chooses kernels when the engine first runs.",
                remedy="Leave it out, or use TensorRT on a GPU.",
            )
        )
    if options.timing_cache:
        found.append(
            Finding(
                rule="rtx-timing-cache-ignored",
                severity=Severity.NOTE,
                message="The timing cache has no effect: TensorRT-RTX times no tactics ahead of time.",
                remedy="Leave it out, or use TensorRT on a GPU.",
            )
        )
    if options.tf32:
        found.append(
            Finding(
                rule="rtx-tf32-not-visible",
                severity=Severity.NOTE,
                message="TF32 is allowed, but the plan does not show where it is used: such layers are listed as FP32.",
                remedy="Compare latencies on a GPU with and without TF32.",
            )
        )
    return found
