"""Precisions, calibration and the recipe of a variant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from trt_core.domain.codec import to_plain


class Precision(Enum):
    """A numeric mode. In a request it is what is wanted; on an engine layer it is what really runs."""

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"
    FP8 = "fp8"
    INT4 = "int4"
    UNKNOWN = "unknown"

    @property
    def is_quantized(self) -> bool:
        """True where Q/DQ pairs carry the precision."""
        return self in (Precision.INT8, Precision.FP8, Precision.INT4)


# In units of the scale: from where on a magnitude is cut off, and up to where it becomes zero. Both round to even.
# E4M3 ends at 448 after steps of 32, and begins with subnormals of 2^-9.
EDGES = {Precision.INT8: (127.5, 0.5), Precision.FP8: (464.0, 2.0**-10)}


# SQNR that a healthy layer reaches when its inputs are exact, rounded down: a float with p significand bits stays near
# 6.02 p + 8 dB (uniform rounding error, values spread evenly over an octave), eight bits over four standard deviations
# of a normal distribution near 40 dB.
HEALTHY_DB = {
    Precision.FP32: 140.0,
    Precision.TF32: 68.0,
    Precision.FP16: 68.0,
    Precision.BF16: 50.0,
    Precision.INT8: 36.0,
    Precision.FP8: 28.0,
    Precision.INT4: 18.0,
}


class CalibrationMethod(Enum):
    """How a range is chosen from what calibration saw."""

    MINMAX = "minmax"
    ENTROPY = "entropy"
    PERCENTILE = "percentile"


ADVISED_CALIBRATION_SAMPLES = 500  # NVIDIA's guidance for INT8 calibration of image networks


@dataclass(frozen=True, kw_only=True)
class KeepRule:
    """One node of the original model that stays in FP32 or FP16."""

    node: str
    precision: Precision

    def __post_init__(self) -> None:
        if self.precision not in (Precision.FP32, Precision.FP16):
            raise ValueError(f"a node can be kept in fp32 or fp16, not in {self.precision.value}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What makes a variant of a model: the precision asked for and everything that changes the file.

    `rest` is the precision of what is not quantized (INT8, FP8, INT4 only). `data_sha256` identifies the
    calibration data; empty where none is needed. `normalize` folds BatchNormalization and makes node names unique.
    `attention` quantizes MatMuls of two activations, too (INT8 and FP8).
    """

    precision: Precision
    rest: Precision = Precision.FP16
    method: CalibrationMethod = CalibrationMethod.ENTROPY
    percentile: float = 99.99
    keep: tuple[KeepRule, ...] = ()
    normalize: bool = True
    data_sha256: str = ""
    attention: bool = False

    def __post_init__(self) -> None:
        if self.precision is Precision.UNKNOWN:
            raise ValueError("a recipe needs a known precision")
        if self.rest not in (Precision.FP16, Precision.FP32, Precision.BF16):
            raise ValueError(f"the rest can be fp16, bf16 or fp32, not {self.rest.value}")
        if not 50.0 < self.percentile <= 100.0:
            raise ValueError(f"percentile {self.percentile} is outside 50..100")

    @property
    def needs_data(self) -> bool:
        """True where activations are quantized, so that ranges must come from data."""
        return self.precision in (Precision.INT8, Precision.FP8)

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that decide an id; a field that came later is left out at its default, so that ids stay."""
        plain: dict[str, Any] = to_plain(self)
        if not self.attention:
            del plain["attention"]
        return plain


@dataclass(frozen=True, kw_only=True)
class TensorRange:
    """The range that calibration chose for one activation, and the scale made from it (zero point 0)."""

    tensor: str
    low: float
    high: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class VariantNode:
    """One node of a variant's file and where it comes from.

    `sources` are indices of the original model's nodes; `inserted` is true for casts and Q/DQ nodes, whose sources
    are the nodes that they serve.
    """

    name: str
    sources: tuple[int, ...]
    inserted: bool = False


@dataclass(frozen=True, kw_only=True)
class RemovedNode:
    """An original node that a named step of ours took out of the variant, and the original node that took its work."""

    index: int
    by: str  # the step: "batchnorm folding", "constant folding", "dead code", "identity removal"
    into: int | None = None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Which node of a variant comes from which original node."""

    nodes: tuple[VariantNode, ...] = ()
    removed: tuple[RemovedNode, ...] = ()
