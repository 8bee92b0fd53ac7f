"""Builder options as TensorRT takes them; what a version lacks is refused with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any

from trt_core.backends.names import lookup
from trt_core.backends.polygraphy_gate import polygraphy
from trt_core.backends.tensorrt.device import real_library
from trt_core.backends.tensorrt.native import version_of
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import Precision
from trt_core.errors import UnsupportedRequest

_LEVELS = {"ampere_plus": "AMPERE_PLUS", "same_compute_capability": "SAME_COMPUTE_CAPABILITY"}
_POOLS = {
    "workspace": "MemoryPoolType.WORKSPACE",
    "tactic_dram": "MemoryPoolType.TACTIC_DRAM",
    "dla_managed_sram": "MemoryPoolType.DLA_MANAGED_SRAM",
    "dla_local_dram": "MemoryPoolType.DLA_LOCAL_DRAM",
    "dla_global_dram": "MemoryPoolType.DLA_GLOBAL_DRAM",
}
_PRECISIONS = {
    Precision.FP16: "BuilderFlag.FP16",
    Precision.BF16: "BuilderFlag.BF16",
    Precision.INT8: "BuilderFlag.INT8",
}
_CONSTRAINTS = {
    "prefer": "BuilderFlag.PREFER_PRECISION_CONSTRAINTS",
    "obey": "BuilderFlag.OBEY_PRECISION_CONSTRAINTS",
}
# A tactic source, the library it calls, and the function by which a real one says its version.
_LIBRARIES = {
    "CUDNN": (("libcudnn.so.8",), "cudnnGetVersion"),
    "CUBLAS": (("libcublas.so.12", "libcublas.so.11"), "cublasGetCudartVersion"),
    "CUBLAS_LT": (("libcublasLt.so.12", "libcublasLt.so.11"), "cublasLtGetVersion"),
}
_OWN_SOURCES = ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")


def create_config(
    trt: Any,
    builder: Any,
    options: BuilderOptions,
    *,
    precisions: Collection[Precision] = (),
    constraints: str | None = None,
    timings: IO[bytes] | None = None,
) -> tuple[Any, tuple[Finding, ...]]:
    """Polygraphy's configuration with everything that does not depend on the network; notes on what it means.

    `precisions` may be chosen by a weakly typed library; `constraints` ("prefer", "obey") says how much its layers' own
    precisions bind it. Setters of the library fail in silence, and Polygraphy does not look: what they were given is
    read back. UnsupportedRequest for an option that this version or machine does not have.
    """
    sources, notes = _tactic_sources(trt, options.tactic_sources)
    pools = {lookup(trt, _POOLS[name]): size_mb << 20 for name, size_mb in _pools_mb(options)}
    flags = [(path, lookup(trt, path)) for path in _flags(options, precisions, constraints)]
    config = polygraphy().CreateConfig(
        profiling_verbosity=lookup(trt, "ProfilingVerbosity.DETAILED"),
        tf32=options.tf32,
        fp16=Precision.FP16 in precisions,
        bf16=Precision.BF16 in precisions,
        int8=Precision.INT8 in precisions,
        precision_constraints=constraints,
        memory_pool_limits=pools,
        builder_optimization_level=options.optimization_level,
        version_compatible=options.version_compatible,
        hardware_compatibility_level=_hardware(trt, options.hardware_compatibility),
        sparse_weights=options.sparsity,
        refittable=options.refit,
        tactic_sources=sources,
        load_timing_cache=timings,
    )(builder, None)  # without the network: profiles and calibration it would fill in and not look at
    for path, flag in flags:
        _hold(config.get_flag(flag), path.partition(".")[2])
    _check_held(trt, config, options, pools, sources)
    _share_profiles(trt, config)
    return config, (*notes, *(_dla(trt, config, options.dla_core) if options.dla_core is not None else ()))


def _share_profiles(trt: Any, config: Any) -> None:
    """Let several contexts share a profile, as later versions do; 8.6 gives the second context of an engine none.

    Not by Polygraphy: it would turn off every feature that it is not given, two of which 8.6 has on by itself.
    """
    if version_of(trt)[0] < 10:
        config.set_preview_feature(lookup(trt, "PreviewFeature.PROFILE_SHARING_0806"), True)


def _check_held(
    trt: Any, config: Any, options: BuilderOptions, pools: Mapping[Any, int], sources: Sequence[Any] | None
) -> None:
    """Read back what is no flag."""
    for pool, size_bytes in pools.items():
        _hold(config.get_memory_pool_limit(pool) == size_bytes, f"{pool.name} of {size_bytes >> 20} MB")
    if (level := options.optimization_level) is not None:
        _hold(config.builder_optimization_level == level, f"optimization level {level}")
    if compatible := options.hardware_compatibility:
        held = config.hardware_compatibility_level == _hardware(trt, compatible)
        _hold(held, f"hardware compatibility {compatible}")
    if sources is not None:
        mask = sum(1 << int(source) for source in sources)
        _hold(config.get_tactic_sources() == mask, f"tactic sources {', '.join(source.name for source in sources)}")


def _flags(options: BuilderOptions, precisions: Collection[Precision], constraints: str | None) -> Iterator[str]:
    """The builder flags that must hold."""
    if options.tf32:
        yield "BuilderFlag.TF32"
    if options.version_compatible:
        yield "BuilderFlag.VERSION_COMPATIBLE"
    if options.sparsity:
        yield "BuilderFlag.SPARSE_WEIGHTS"
    if options.refit:
        yield "BuilderFlag.REFIT"
    if constraints:
        yield _CONSTRAINTS[constraints]
    yield from (path for precision, path in _PRECISIONS.items() if precision in precisions)


def _pools_mb(options: BuilderOptions) -> tuple[tuple[str, int], ...]:
    workspace = () if options.workspace_mb is None else (("workspace", options.workspace_mb),)
    return (*workspace, *options.memory_pools_mb)


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise UnsupportedRequest(f"TensorRT refused {what}.", remedy="Leave it out, or see the job's log.")


def _hardware(trt: Any, asked: str) -> Any:
    if not asked:
        return None
    if asked not in _LEVELS:
        raise UnsupportedRequest(
            f"TensorRT has no hardware compatibility {asked!r}.", remedy=f"Use {' or '.join(_LEVELS)}."
        )
    return lookup(trt, f"HardwareCompatibilityLevel.{_LEVELS[asked]}")


def _tactic_sources(trt: Any, asked: Sequence[str]) -> tuple[list[Any] | None, tuple[Finding, ...]]:
    """Those asked for; otherwise TensorRT's own, and NVIDIA's libraries where they are really installed.

    None leaves the choice to the library: TensorRT 10 and later leave NVIDIA's libraries off by themselves.
    """
    held = lookup(trt, "TacticSource").__members__
    wanted = [name.upper() for name in asked]
    if unknown := sorted(set(wanted) - set(held)):
        raise UnsupportedRequest(
            f"TensorRT {trt.__version__} has no tactic source {unknown[0]!r}.", remedy=f"Use {', '.join(held)}."
        )
    if wanted:
        return [held[name] for name in dict.fromkeys(wanted)], ()
    if version_of(trt)[0] >= 10:
        return None, ()
    missing = [name for name in _LIBRARIES if name in held and not _is_installed(name)]
    chosen = [held[name] for name in (*_OWN_SOURCES, *_LIBRARIES) if name in held and name not in missing]
    return chosen, tuple(_sources_off(missing))


def _sources_off(missing: Sequence[str]) -> Iterator[Finding]:
    if missing:
        yield Finding(
            rule="tactic-sources-off",
            severity=Severity.NOTE,
            message=f"Tactics of {', '.join(missing)} are not tried: their libraries are not installed.",
            remedy="Install cuDNN and cuBLAS beside TensorRT 8.6 to let it choose among them, too.",
        )


def installed_sources(trt: Any) -> list[str]:
    """Tactic sources of this version whose libraries are there, as the library names them."""
    return [name for name in lookup(trt, "TacticSource").__members__ if name not in _LIBRARIES or _is_installed(name)]


def _is_installed(source: str) -> bool:
    names, function = _LIBRARIES[source]
    return any(real_library(name, function) for name in names)


def _dla(trt: Any, config: Any, core: int) -> tuple[Finding, ...]:
    """By hand: Polygraphy knows the first core only, and asks for precision constraints along with it."""
    config.default_device_type = lookup(trt, "DeviceType.DLA")
    config.DLA_core = core
    _hold(config.DLA_core == core, f"DLA core {core}")
    fallback = lookup(trt, "BuilderFlag.GPU_FALLBACK")
    config.set_flag(fallback)
    _hold(config.get_flag(fallback), "GPU_FALLBACK")
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
