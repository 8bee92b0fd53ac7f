"""The command line of `trtexec`, for the option parsers of its releases."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import CommandLine, FileNames, allows_tf32, path_word, shape_word
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.requests import BuildSpec

TRTEXEC_RELEASES = ("8.6", "10.x", "11.x")
_HARDWARE = {"ampere_plus": "ampere+", "same_compute_capability": "sameComputeCapability"}
_POOLS = {"dla_managed_sram": "dlaSRAM", "dla_local_dram": "dlaLocalDRAM", "dla_global_dram": "dlaGlobalDRAM"}
_OWN_SOURCES = ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")
_OTHER_SOURCES = ("CUBLAS", "CUBLAS_LT", "CUDNN")  # gone in release 11


def trtexec_line(spec: BuildSpec, names: FileNames, release: str) -> CommandLine:
    """`trtexec` of one release, on the GPU that will run the engine.

    Flags as the option parsers of the published releases 8.6.1, 10.16 and 11.1 read them: 8.6 has neither
    `--stronglyTyped` nor `--profile`; from 11 on strong typing is the only way and its flag does nothing.
    """
    tool = f"trtexec {release}"
    if why := _why_not(spec, release):
        return CommandLine(tool=tool, refused=why)
    recipe = spec.variant.recipe
    words = ["trtexec", f"--onnx={path_word(names.variant)}", f"--saveEngine={names.engine}"]
    is_weak = release == "8.6" or (release == "10.x" and (spec.is_implicit or spec.options.dla_core is not None))
    if is_weak:
        words += _weak_flags(recipe)
    elif release == "10.x":
        words.append("--stronglyTyped")
    if spec.is_implicit:
        words += [f"--calib={names.calibration}", *_kept(recipe)]
    if not allows_tf32(spec):
        words.append("--noTF32")
    words += _profiles(spec.profiles)
    words += _options(spec.options, release)
    words += ["--profilingVerbosity=detailed", "--skipInference"]
    note = {
        "8.6": "Weakly typed: the flags allow what the file's types need.",
        "10.x": "Weakly typed: the library chooses." if is_weak else "Strongly typed: precision comes from the file.",
        "11.x": "Always strongly typed.",
    }[release]
    if spec.is_implicit:
        note = "The FP32 file and the calibration cache: the library chooses which layers run in INT8."
    return CommandLine(tool=tool, text=shlex.join(words), note=note)


def _why_not(spec: BuildSpec, release: str) -> str:
    """What this release cannot do, "" when it can do everything."""
    options = spec.options
    if "tactic_dram" in dict(options.memory_pools_mb):
        return "trtexec has no limit for the memory pool tactic_dram."
    known = (*_OWN_SOURCES, *(() if release == "11.x" else _OTHER_SOURCES))
    if odd := [name for name in options.tactic_sources if name not in known]:
        return f"trtexec {release} has no tactic source {odd[0]}."
    if release == "11.x" and spec.is_implicit:
        return "TensorRT 11 has no implicit calibration. Build the INT8 variant with Q/DQ pairs instead."
    if release == "11.x" and options.dla_core is not None:
        return "TensorRT 11 is always strongly typed, which a DLA does not take."
    quantized = spec.variant.recipe.precision is Precision.INT8 and not spec.is_implicit
    if release == "10.x" and options.dla_core is not None and quantized:
        return "A network with Q/DQ pairs is strongly typed from TensorRT 10 on, which a DLA does not take."
    return _why_not_in_8_6(spec) if release == "8.6" else ""


def _why_not_in_8_6(spec: BuildSpec) -> str:
    recipe = spec.variant.recipe
    used = {recipe.precision, recipe.rest} if recipe.precision.is_quantized else {recipe.precision}
    for precision in (Precision.BF16, Precision.FP8, Precision.INT4):
        if precision in used:
            return f"TensorRT 8.6 has no {precision.value.upper()}."
    if len(spec.profiles) > 1:
        return "trtexec 8.6 builds one optimization profile; this asks for more."
    if spec.options.hardware_compatibility == "same_compute_capability":
        return "TensorRT 8.6 knows the hardware compatibility levels none and ampere+ only."
    return ""


def _weak_flags(recipe: Recipe) -> list[str]:
    kept = {rule.precision for rule in recipe.keep}
    rest = {recipe.rest} if recipe.precision.is_quantized else set()
    used = {recipe.precision, *rest, *kept}
    return [f"--{item.value}" for item in (Precision.FP16, Precision.INT8) if item in used]


def _kept(recipe: Recipe) -> list[str]:
    """Nodes that are kept out of INT8 where the library chooses precisions."""
    if not recipe.keep:
        return []
    rules = ",".join(f"{_name(rule.node)}:{rule.precision.value}" for rule in recipe.keep)
    return ["--precisionConstraints=obey", f"--layerPrecisions={rules}"]


def _profiles(profiles: tuple[OptimizationProfile, ...]) -> list[str]:
    words = []
    for number, profile in enumerate(profiles):
        words += [f"--profile={number}"] if len(profiles) > 1 else []
        for flag in ("min", "opt", "max"):
            shapes = [f"{_name(item.tensor)}:{shape_word(getattr(item, flag))}" for item in profile.ranges]
            shapes += [f"{_name(held.tensor)}:{shape_word(getattr(held, flag))}" for held in profile.values]
            words.append(f"--{flag}Shapes={','.join(shapes)}")
    return words


def _name(tensor: str) -> str:
    """The name as `trtexec` reads it: `:` and `,` end it unless it stands in single quotes."""
    return f"'{tensor}'" if set(tensor) & set(":,") else tensor


def _options(options: BuilderOptions, release: str) -> list[str]:
    words = []
    pools = [("workspace", options.workspace_mb)] if options.workspace_mb is not None else []
    pools += [(_POOLS[name], size_mb) for name, size_mb in options.memory_pools_mb]
    if pools:
        words.append("--memPoolSize=" + ",".join(f"{name}:{size_mb}M" for name, size_mb in pools))
    if options.optimization_level is not None:
        words.append(f"--builderOptimizationLevel={options.optimization_level}")
    if options.version_compatible:
        words.append("--versionCompatible")
    if options.hardware_compatibility:
        words.append(f"--hardwareCompatibilityLevel={_HARDWARE[options.hardware_compatibility]}")
    if options.timing_cache:
        words.append("--noBuilderCache" if options.timing_cache == "off" else "--timingCacheFile=timing.cache")
    words += ["--sparsity=enable"] if options.sparsity else []
    words += ["--refit"] if options.refit else []
    if options.tactic_sources:
        known = sorted((*_OWN_SOURCES, *(() if release == "11.x" else _OTHER_SOURCES)))
        words.append(
            "--tacticSources=" + ",".join(f"{'+-'[name not in options.tactic_sources]}{name}" for name in known)
        )
    if options.dla_core is not None:
        words += [f"--useDLACore={options.dla_core}", "--allowGPUFallback"]
    return words + [f"--staticPlugins={name}" for name in options.plugins]
