"""The command line of Polygraphy."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import CommandLine, FileNames, allows_tf32, path_word, shape_word
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision
from trt_core.domain.requests import BuildSpec


def polygraphy_line(spec: BuildSpec, names: FileNames) -> CommandLine:
    """`polygraphy convert`, over TensorRT 10 or newer on the GPU that will run the engine."""
    words = ["polygraphy", "convert", path_word(names.variant), "--convert-to", "trt", "-o", path_word(names.engine)]
    words += _typing(spec, names)
    words += ["--tf32"] if allows_tf32(spec) else []
    for profile in spec.profiles:
        for flag in ("min", "opt", "max"):
            words.append(f"--trt-{flag}-shapes")
            words += [f"{item.tensor}:[{shape_word(getattr(item, flag), ',')}]" for item in profile.ranges]
            words += [f"{held.tensor}:[{shape_word(getattr(held, flag), ',')}]" for held in profile.values]
    words += _options(spec.options)
    words += ["--profiling-verbosity", "detailed"]
    note = "Over TensorRT 10 or newer."
    if spec.is_implicit:
        note = "Over TensorRT 8.6 or 10: later versions have no implicit calibration."
    if spec.options.dla_core:
        note += " It takes the first DLA core."
    return CommandLine(tool="polygraphy", text=shlex.join(words), note=note)


def _typing(spec: BuildSpec, names: FileNames) -> list[str]:
    recipe = spec.variant.recipe
    if not spec.is_implicit and spec.options.dla_core is None:
        return ["--strongly-typed"]
    wanted = {recipe.precision, recipe.rest} if recipe.precision.is_quantized else {recipe.precision}
    words = [f"--{item.value}" for item in (Precision.FP16, Precision.INT8) if item in wanted]
    if spec.is_implicit:
        words += ["--calibration-cache", path_word(names.calibration)]
    if spec.is_implicit and recipe.keep:
        words += ["--precision-constraints", "obey", "--layer-precisions"]
        words += [f"{rule.node}:{'float32' if rule.precision is Precision.FP32 else 'float16'}" for rule in recipe.keep]
    return words


def _options(options: BuilderOptions) -> list[str]:
    words = []
    pools = [("workspace", options.workspace_mb)] if options.workspace_mb is not None else []
    pools += options.memory_pools_mb
    if pools:
        words += ["--pool-limit", *(f"{name}:{size_mb}M" for name, size_mb in pools)]
    if options.optimization_level is not None:
        words += ["--builder-optimization-level", str(options.optimization_level)]
    words += ["--version-compatible"] if options.version_compatible else []
    if options.hardware_compatibility:
        words += ["--hardware-compatibility-level", options.hardware_compatibility]
    if options.timing_cache not in ("", "off"):
        words += ["--load-timing-cache", "timing.cache"]
    words += ["--sparse-weights"] if options.sparsity else []
    words += ["--refittable"] if options.refit else []
    if options.tactic_sources:
        words += ["--tactic-sources", *(name.lower() for name in options.tactic_sources)]
    words += ["--use-dla", "--allow-gpu-fallback"] if options.dla_core is not None else []
    return words + (["--plugins", *options.plugins] if options.plugins else [])
