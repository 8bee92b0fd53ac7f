"""The command lines of other tools that ask for the same engine."""

from __future__ import annotations

import shlex

from trt_core.deploy.command_words import CommandLine, FileNames, allows_tf32, path_word, shape_word
from trt_core.deploy.polygraphy import polygraphy_line
from trt_core.deploy.trtexec import TRTEXEC_RELEASES, trtexec_line
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import BuildSpec


def command_lines(spec: BuildSpec, names: FileNames) -> tuple[CommandLine, ...]:
    """Every line for this wish: ours, `trtexec` of three releases, and Polygraphy."""
    trtexec = (trtexec_line(spec, names, release) for release in TRTEXEC_RELEASES)
    return (cli_line(spec, names), *trtexec, polygraphy_line(spec, names))


def cli_line(spec: BuildSpec, names: FileNames) -> CommandLine:
    """Our own command line, which starts from the uploaded model."""
    words = [
        "python",
        "-m",
        "trt_core",
        "build",
        path_word(names.model),
        *_recipe_words(spec.variant.recipe, names, has_cache=spec.variant.has_cache),
    ]
    words += ["--backend", spec.backend]
    if spec.target is not None:
        words += ["--sm", str(spec.target.number)]
    for number, profile in enumerate(spec.profiles):
        words += ["--and-profile"] if number else []
        for item in profile.ranges:
            shapes = ":".join(shape_word(shape) for shape in (item.min, item.opt, item.max))
            words.append(f"--profile={item.tensor}={shapes}")
        for held in profile.values:
            values = ":".join(f"[{shape_word(each)}]" for each in (held.min, held.opt, held.max))
            words.append(f"--profile={held.tensor}={values}")
    options = spec.options
    if options.optimization_level is not None:
        words += ["--optimization-level", str(options.optimization_level)]
    if options.workspace_mb is not None:
        words += ["--workspace-mb", str(options.workspace_mb)]
    words += ["--version-compatible"] if options.version_compatible else []
    if options.hardware_compatibility:
        words += ["--hardware-compatibility", options.hardware_compatibility]
    words += _cli_switches(spec, names)
    words += ["--rebuild"] if spec.rebuild else []
    words += ["-o", path_word(names.engine)]
    return CommandLine(tool="enginescope", text=shlex.join(words), note="Makes the variant, then builds it.")


def _cli_switches(spec: BuildSpec, names: FileNames) -> list[str]:
    options = spec.options
    words = ["--tf32"] if allows_tf32(spec) and spec.variant.recipe.precision is not Precision.TF32 else []
    if spec.is_implicit:
        words += ["--calibration", "implicit"]
    if spec.is_implicit and spec.variant.has_cache:
        words += ["--calibration-cache", path_word(names.calibration)]
    if options.timing_cache:
        words += ["--timing-cache", "off" if options.timing_cache == "off" else "timing.cache"]
    words += ["--sparsity"] if options.sparsity else []
    words += ["--refit"] if options.refit else []
    words += [f"--memory-pool={name}={size_mb}" for name, size_mb in options.memory_pools_mb]
    words += [f"--tactic-source={name}" for name in options.tactic_sources]
    words += ["--dla-core", str(options.dla_core)] if options.dla_core is not None else []
    return words + [f"--plugin={name}" for name in options.plugins]


def _recipe_words(recipe: Recipe, names: FileNames, *, has_cache: bool) -> list[str]:
    words = ["--precision", recipe.precision.value]
    if recipe.precision.is_quantized:
        words += ["--rest", recipe.rest.value]
    if recipe.needs_data and not has_cache:
        words += ["--data", path_word(names.data), "--method", recipe.method.value]
        if recipe.method is CalibrationMethod.PERCENTILE:
            words += ["--percentile", f"{recipe.percentile:g}"]
    # One word each: a node's name may begin with a dash.
    words += [f"--keep={rule.node}={rule.precision.value}" for rule in recipe.keep]
    words += [] if recipe.normalize else ["--no-normalize"]
    words += ["--attention"] if recipe.attention else []
    return words
