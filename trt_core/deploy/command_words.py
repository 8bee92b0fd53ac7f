"""What the command lines of every tool share: their files, a line with its reason, paths and shapes as words."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.precision import Precision
from trt_core.domain.profiles import Shape
from trt_core.domain.requests import BuildSpec

CALIBRATION_FILE = "source/calibration.cache"  # of a bundle


@dataclass(frozen=True, kw_only=True)
class FileNames:
    """The files that the lines name. `variant` is the ONNX file in the precision asked for: it is what is built."""

    model: str = "model.onnx"
    variant: str = "variant.onnx"
    engine: str = "model.engine"
    data: str = "calibration.npz"
    calibration: str = "calibration.cache"  # of implicit calibration


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """One line for a POSIX shell, quoted; empty with the reason in `refused` where the tool cannot do it."""

    tool: str
    text: str = ""
    note: str = ""
    refused: str = ""


def allows_tf32(spec: BuildSpec) -> bool:
    """True where layers that stay in FP32 may run in TF32."""
    return spec.options.tf32 or spec.variant.recipe.precision is Precision.TF32


def path_word(name: str) -> str:
    """A file name that no tool takes for an option."""
    return f"./{name}" if name.startswith("-") else name


def shape_word(shape: Shape, separator: str = "x") -> str:
    """`8x3x32x32`."""
    return separator.join(str(size) for size in shape)
