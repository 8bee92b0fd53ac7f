"""What TensorRT's releases take of a precision in an ONNX file: rules, for where no GPU can be asked.

Sources: the API reference of TensorRT 8.6, 10 and 11 (data types, builder flags, network flags), its operators' and
quantization documentation, and the ONNX parsers' import code of 8.6. What a release needs of the GPU is said with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.precision import Precision


@dataclass(frozen=True, kw_only=True)
class PrecisionRule:
    """Whether a release takes a variant of that precision, and why."""

    release: str
    precision: Precision
    takes: bool
    reason: str


_WEAK = "weakly typed: a flag allows it, the library chooses layer by layer"
_STRONG = "strongly typed: layers run as the file says"
_PAIRS = "Q/DQ pairs, INT8 convolutions and GEMMs; per-channel scales for weights"
_NO_IMPLICIT = "Q/DQ pairs only: implicit calibration and per-layer precisions are gone"
_FP8 = "FP8 Q/DQ pairs need compute capability 8.9"
_INT4 = "weights only, in blocks of 64 or 128 along K: GEMMs dequantize them and compute in FP16 or BF16"

RULES: tuple[PrecisionRule, ...] = tuple(
    PrecisionRule(release=release, precision=precision, takes=takes, reason=reason)
    for release, precision, takes, reason in (
        ("8.6", Precision.FP16, True, _WEAK),
        ("8.6", Precision.BF16, False, "it has no BF16 data type"),
        ("8.6", Precision.INT8, True, f"{_PAIRS}; what lies between may run in FP16"),
        ("8.6", Precision.FP8, False, "its ONNX parser imports no FP8 Q/DQ pairs"),
        ("8.6", Precision.INT4, False, "it has no INT4 data type"),
        ("10", Precision.FP16, True, _STRONG),
        ("10", Precision.BF16, True, f"{_STRONG}; compute capability 8.0 or newer"),
        ("10", Precision.INT8, True, f"{_PAIRS}; implicit calibration is deprecated"),
        ("10", Precision.FP8, True, _FP8),
        ("10", Precision.INT4, True, _INT4),
        ("11", Precision.FP16, True, f"{_STRONG}; there is no other way"),
        ("11", Precision.BF16, True, f"{_STRONG}; compute capability 8.0 or newer"),
        ("11", Precision.INT8, True, _NO_IMPLICIT),
        ("11", Precision.FP8, True, _FP8),
        ("11", Precision.INT4, True, _INT4),
    )
)


def rules_of(precision: Precision) -> tuple[PrecisionRule, ...]:
    """The rules for one precision, oldest release first."""
    return tuple(rule for rule in RULES if rule.precision is precision)
