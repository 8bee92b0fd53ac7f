"""Builder options as TensorRT takes them; what a version lacks is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.networks import limit_workspace, set_tf32
from trt_core.backends.tensorrt.device import real_library
from trt_core.backends.tensorrt.native import TITLE, version_of
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.findings import Finding, Severity
from trt_core.errors import UnsupportedRequest

_LEVELS = {"ampere_plus": "AMPERE_PLUS", "same_compute_capability": "SAME_COMPUTE_CAPABILITY"}
_POOLS = {
    "tactic_dram": "MemoryPoolType.TACTIC_DRAM",
    "dla_managed_sram": "MemoryPoolType.DLA_MANAGED_SRAM",
    "dla_local_dram": "MemoryPoolType.DLA_LOCAL_DRAM",
    "dla_global_dram": "MemoryPoolType.DLA_GLOBAL_DRAM",
}
# A tactic source, the library it calls, and the function by which a real one says its version.
_LIBRARIES = {
    "CUDNN": (("libcudnn.so.8",), "cudnnGetVersion"),
    "CUBLAS": (("libcublas.so.12", "libcublas.so.11"), "cublasGetCudartVersion"),
    "CUBLAS_LT": (("libcublasLt.so.12", "libcublasLt.so.11"), "cublasLtGetVersion"),
}
_OWN_SOURCES = ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")


def configure(trt: Any, config: Any, options: BuilderOptions) -> tuple[Finding, ...]:
    """Set everything that does not depend on the network; notes on what it means.

    Setters of the library fail in silence: what they were given is read back. UnsupportedRequest for an option that
    this version or machine does not have.
    """
    config.profiling_verbosity = lookup(trt, "ProfilingVerbosity.DETAILED")
    set_tf32(trt, config, allowed=options.tf32)
    if options.workspace_mb is not None:
        limit_workspace(trt, config, options.workspace_mb, title=TITLE)
    if options.optimization_level is not None:
        config.builder_optimization_level = options.optimization_level
        _same(config.builder_optimization_level, options.optimization_level, "optimization level")
    if options.version_compatible:
        set_flag(trt, config, "BuilderFlag.VERSION_COMPATIBLE")
    if options.hardware_compatibility:
        _hardware(trt, config, options.hardware_compatibility)
    if options.sparsity:
        set_flag(trt, config, "BuilderFlag.SPARSE_WEIGHTS")
    if options.refit:
        set_flag(trt, config, "BuilderFlag.REFIT")
    for name, size_mb in options.memory_pools_mb:
        _pool(trt, config, _POOLS[name], size_mb)
    if version_of(trt)[0] < 10:
        # Later versions let several contexts share a profile; 8.6 gives the second context of an engine none.
        config.set_preview_feature(lookup(trt, "PreviewFeature.PROFILE_SHARING_0806"), True)
    notes = _tactic_sources(trt, config, options.tactic_sources)
    return (*notes, *(_dla(trt, config, options.dla_core) if options.dla_core is not None else ()))


def set_flag(trt: Any, config: Any, path: str) -> None:
    """Set a builder flag and look whether it holds."""
    flag = lookup(trt, path)
    config.set_flag(flag)
    _same(config.get_flag(flag), True, path.partition(".")[2])


def _same(is_now: Any, asked: Any, what: str) -> None:
    if is_now != asked:
        raise UnsupportedRequest(f"TensorRT refused {what} {asked}.", remedy="Leave it out, or see the job's log.")


def _hardware(trt: Any, config: Any, asked: str) -> None:
    if asked not in _LEVELS:
        raise UnsupportedRequest(
            f"TensorRT has no hardware compatibility {asked!r}.", remedy=f"Use {' or '.join(_LEVELS)}."
        )
    level = lookup(trt, f"HardwareCompatibilityLevel.{_LEVELS[asked]}")
    config.hardware_compatibility_level = level
    _same(config.hardware_compatibility_level, level, "hardware compatibility")


def _pool(trt: Any, config: Any, path: str, size_mb: int) -> None:
    pool, size_bytes = lookup(trt, path), size_mb << 20
    config.set_memory_pool_limit(pool, size_bytes)
    _same(config.get_memory_pool_limit(pool), size_bytes, f"{path.partition('.')[2]} of")


def _tactic_sources(trt: Any, config: Any, asked: Sequence[str]) -> tuple[Finding, ...]:
    """Those asked for; otherwise TensorRT's own, and NVIDIA's libraries where they are really installed."""
    held = lookup(trt, "TacticSource").__members__
    wanted = [name.upper() for name in asked]
    if unknown := sorted(set(wanted) - set(held)):
        raise UnsupportedRequest(
            f"TensorRT {trt.__version__} has no tactic source {unknown[0]!r}.", remedy=f"Use {', '.join(held)}."
        )
    missing = [name for name in _LIBRARIES if name in held and not _is_installed(name)] if not asked else []
    # TensorRT 10 and later leave NVIDIA's libraries off by themselves: only 8.6 needs to be told.
    chosen = wanted or [name for name in (*_OWN_SOURCES, *_LIBRARIES) if name in held and name not in missing]
    if asked or version_of(trt)[0] < 10:
        mask = sum(1 << int(held[name]) for name in chosen)
        config.set_tactic_sources(mask)
        _same(config.get_tactic_sources(), mask, "tactic sources")
    if not missing or version_of(trt)[0] >= 10:
        return ()
    return (
        Finding(
            rule="tactic-sources-off",
            severity=Severity.NOTE,
            message=f"Tactics of {', '.join(missing)} are not tried: their libraries are not installed.",
            remedy="Install cuDNN and cuBLAS beside TensorRT 8.6 to let it choose among them, too.",
        ),
    )


def installed_sources(trt: Any) -> list[str]:
    """Tactic sources of this version whose libraries are there, as the library names them."""
    return [name for name in lookup(trt, "TacticSource").__members__ if name not in _LIBRARIES or _is_installed(name)]


def _is_installed(source: str) -> bool:
    names, function = _LIBRARIES[source]
    return any(real_library(name, function) for name in names)


def _dla(trt: Any, config: Any, core: int) -> tuple[Finding, ...]:
    config.default_device_type = lookup(trt, "DeviceType.DLA")
    config.DLA_core = core
    _same(config.DLA_core, core, "DLA core")
    set_flag(trt, config, "BuilderFlag.GPU_FALLBACK")
    return (
        Finding(
            rule="dla-with-gpu-fallback",
            severity=Severity.NOTE,
            message=f"Layers that DLA core {core} takes run there, all others on the GPU.",
            remedy="Read the engine's layers: a DLA subgraph is one of them.",
            evidence="Written to the library's API; this program has not been run on a DLA yet.",
        ),
    )


def dla_answer(network: Any, config: Any) -> Finding:
    """Which layers of a parsed network the library says its DLA takes; `config` has the precisions allowed."""
    layers = [network.get_layer(at) for at in range(network.num_layers)]
    left = tuple(layer.name for layer in layers if not config.can_run_on_DLA(layer))
    return Finding(
        rule="dla-takes",
        severity=Severity.WARNING if left else Severity.NOTE,
        message=f"The DLA takes {len(layers) - len(left)} of {len(layers)} layers of the network.",
        remedy="What it leaves runs on the GPU: each change of side costs a copy." if left else "",
        nodes=left,
        evidence="As the library answers for each layer before the build.",
    )
