"""The command lines of other tools that ask for the same engine."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, Shape
from trt_core.domain.requests import BuildSpec

TRTEXEC_RELEASES = ("8.6", "10.x", "11.x")
_HARDWARE = {"ampere_plus": "ampere+", "same_compute_capability": "sameComputeCapability"}


@dataclass(frozen=True, kw_only=True)
class FileNames:
    """The files that the lines name. `variant` is the ONNX file in the precision asked for: it is what is built."""

    model: str = "model.onnx"
    variant: str = "variant.onnx"
    engine: str = "model.engine"
    data: str = "calibration.npz"


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """One line for a POSIX shell, quoted; empty with the reason in `refused` where the tool cannot do it."""

    tool: str
    text: str = ""
    note: str = ""
    refused: str = ""


def command_lines(spec: BuildSpec, names: FileNames) -> tuple[CommandLine, ...]:
    """Every line for this wish: ours, `trtexec` of three releases, and Polygraphy."""
    trtexec = (trtexec_line(spec, names, release) for release in TRTEXEC_RELEASES)
    return (cli_line(spec, names), *trtexec, polygraphy_line(spec, names))


def cli_line(spec: BuildSpec, names: FileNames) -> CommandLine:
    """Our own command line, which starts from the uploaded model."""
    words = ["python", "-m", "trt_core", "build", _path(names.model), *_recipe_words(spec.variant.recipe, names)]
    words += ["--backend", spec.backend]
    if spec.target is not None:
        words += ["--sm", str(spec.target.number)]
    for number, profile in enumerate(spec.profiles):
        words += ["--and-profile"] if number else []
        for item in profile.ranges:
            shapes = ":".join(_shape(shape) for shape in (item.min, item.opt, item.max))
            words.append(f"--profile={item.tensor}={shapes}")
    options = spec.options
    if options.optimization_level is not None:
        words += ["--optimization-level", str(options.optimization_level)]
    if options.workspace_mb is not None:
        words += ["--workspace-mb", str(options.workspace_mb)]
    words += ["--version-compatible"] if options.version_compatible else []
    if options.hardware_compatibility:
        words += ["--hardware-compatibility", options.hardware_compatibility]
    words += ["--rebuild"] if spec.rebuild else []
    words += ["-o", _path(names.engine)]
    return CommandLine(tool="enginescope", text=shlex.join(words), note="Makes the variant, then builds it.")


def _recipe_words(recipe: Recipe, names: FileNames) -> list[str]:
    words = ["--precision", recipe.precision.value]
    if recipe.precision.is_quantized:
        words += ["--rest", recipe.rest.value]
    if recipe.needs_data:
        words += ["--data", _path(names.data), "--method", recipe.method.value]
        if recipe.method is CalibrationMethod.PERCENTILE:
            words += ["--percentile", f"{recipe.percentile:g}"]
    # One word each: a node's name may begin with a dash.
    words += [f"--keep={rule.node}={rule.precision.value}" for rule in recipe.keep]
    words += [] if recipe.normalize else ["--no-normalize"]
    return words


def trtexec_line(spec: BuildSpec, names: FileNames, release: str) -> CommandLine:
    """`trtexec` of one release, on the GPU that will run the engine.

    Flags as the option parsers of the published releases 8.6.1, 10.16 and 11.1 read them: 8.6 has neither
    `--stronglyTyped` nor `--profile`; from 11 on strong typing is the only way and its flag does nothing.
    """
    tool = f"trtexec {release}"
    if release == "8.6" and (why := _why_not_in_8_6(spec)):
        return CommandLine(tool=tool, refused=why)
    recipe = spec.variant.recipe
    words = ["trtexec", f"--onnx={_path(names.variant)}", f"--saveEngine={names.engine}"]
    if release == "8.6":
        words += _weak_flags(recipe)
    elif release == "10.x":
        words.append("--stronglyTyped")
    if recipe.precision is not Precision.TF32:
        words.append("--noTF32")
    words += _trtexec_profiles(spec.profiles)
    words += _trtexec_options(spec.options)
    words += ["--profilingVerbosity=detailed", "--skipInference"]
    note = {
        "8.6": "Weakly typed: the flags allow what the file's types need.",
        "10.x": "Strongly typed: precision comes from the file.",
        "11.x": "Always strongly typed.",
    }[release]
    return CommandLine(tool=tool, text=shlex.join(words), note=note)


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


def _trtexec_profiles(profiles: tuple[OptimizationProfile, ...]) -> list[str]:
    words = []
    for number, profile in enumerate(profiles):
        words += [f"--profile={number}"] if len(profiles) > 1 else []
        for flag in ("min", "opt", "max"):
            shapes = ",".join(f"{_trtexec_name(item.tensor)}:{_shape(getattr(item, flag))}" for item in profile.ranges)
            words.append(f"--{flag}Shapes={shapes}")
    return words


def _trtexec_name(tensor: str) -> str:
    """The name as `trtexec` reads it: `:` and `,` end it unless it stands in single quotes."""
    return f"'{tensor}'" if set(tensor) & set(":,") else tensor


def _trtexec_options(options: BuilderOptions) -> list[str]:
    words = []
    if options.workspace_mb is not None:
        words.append(f"--memPoolSize=workspace:{options.workspace_mb}M")
    if options.optimization_level is not None:
        words.append(f"--builderOptimizationLevel={options.optimization_level}")
    if options.version_compatible:
        words.append("--versionCompatible")
    if options.hardware_compatibility:
        words.append(f"--hardwareCompatibilityLevel={_HARDWARE[options.hardware_compatibility]}")
    if options.timing_cache:
        words.append("--timingCacheFile=timing.cache")
    return words


def polygraphy_line(spec: BuildSpec, names: FileNames) -> CommandLine:
    """`polygraphy convert`, over TensorRT 10 or newer on the GPU that will run the engine."""
    words = ["polygraphy", "convert", _path(names.variant), "--convert-to", "trt", "-o", _path(names.engine)]
    words.append("--strongly-typed")
    words += ["--tf32"] if spec.variant.recipe.precision is Precision.TF32 else []
    for profile in spec.profiles:
        for flag in ("min", "opt", "max"):
            words.append(f"--trt-{flag}-shapes")
            words += [f"{item.tensor}:[{_shape(getattr(item, flag), ',')}]" for item in profile.ranges]
    options = spec.options
    if options.workspace_mb is not None:
        words += ["--pool-limit", f"workspace:{options.workspace_mb}M"]
    if options.optimization_level is not None:
        words += ["--builder-optimization-level", str(options.optimization_level)]
    words += ["--version-compatible"] if options.version_compatible else []
    if options.hardware_compatibility:
        words += ["--hardware-compatibility-level", options.hardware_compatibility]
    if options.timing_cache:
        words += ["--load-timing-cache", "timing.cache"]
    words += ["--profiling-verbosity", "detailed"]
    return CommandLine(tool="polygraphy", text=shlex.join(words), note="Over TensorRT 10 or newer.")


def _path(name: str) -> str:
    """A file name that no tool takes for an option."""
    return f"./{name}" if name.startswith("-") else name


def _shape(shape: Shape, separator: str = "x") -> str:
    return separator.join(str(size) for size in shape)
