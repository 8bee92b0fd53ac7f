"""What was asked of a build against what its engine really has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from trt_core.analysis.engine_flow import kernel_ops
from trt_core.analysis.tensor_groups import is_opaque
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.findings import Finding, Severity, most_severe_first
from trt_core.domain.fusion import FusionMap
from trt_core.domain.precision import Precision

_MATRIX_KINDS = frozenset({"gemm", "correlation", "deconv", "runtime_fusion", "caskconvolution", "caskgemmconvolution"})
_MOVING = frozenset({"Cast", "Move", "Resh", "Tran", "Conc", "Slic", "Mul", "Min", "Max", "Roun", "Repl"})
_FLOATING = (Precision.FP32, Precision.FP16, Precision.BF16, Precision.TF32)


def engine_findings(
    record: EngineRecord, requested: Precision, fusion: FusionMap, *, implicit: bool = False
) -> tuple[Finding, ...]:
    """Findings on an engine, most severe first; `implicit`: the compiler itself chose which layers are quantized.

    Rules: the share of layers that run in the requested precision, layers below a requested FP32, casts and reformats,
    quantized convolutions that write a floating dtype, fusions that were expected and did not happen, and layers that
    name no node.
    """
    found = (
        *_requested(record, requested, implicit=implicit),
        *_lower_than_asked(record, requested),
        *_casts(record),
        *_separate_epilogues(record),
        *_missing_patterns(fusion),
        *_unnamed(record),
    )
    return most_severe_first(found)


def _requested(record: EngineRecord, requested: Precision, *, implicit: bool) -> Iterator[Finding]:
    layers = [layer for layer in record.working_layers if layer.precision is not Precision.UNKNOWN]
    if not layers or requested in (Precision.FP32, Precision.TF32, Precision.UNKNOWN):
        return
    running = sum(layer.precision is requested for layer in layers)
    name, share = requested.value.upper(), running / len(layers)
    evidence = ", ".join(f"{count} {kind}" for kind, count in record.precisions.items())
    if running == 0 and requested.is_quantized and not implicit and any(is_opaque(layer) for layer in layers):
        yield _not_recorded(layers, name, evidence)
        return
    if running == 0:
        yield Finding(
            rule="precision-not-reached",
            severity=Severity.BLOCKER,
            message=f"{name} was asked for; no engine layer runs in it.",
            remedy=_cause(requested, implicit=implicit),
            evidence=evidence,
        )
        return
    matrices = [layer for layer in layers if layer.kind.lower() in _MATRIX_KINDS]
    kept = [layer for layer in matrices if layer.precision is not requested]
    if requested.is_quantized and matrices and not kept:
        yield Finding(
            rule="precision-reached",
            severity=Severity.NOTE,
            message=f"{running} of {len(layers)} layers run in {name}: every convolution and product with weights.",
            evidence=evidence,
        )
    elif share < 0.5:
        yield Finding(
            rule="precision-share-low",
            severity=Severity.WARNING,
            message=f"{name} was asked for; {running} of {len(layers)} layers run in it ({share:.0%}).",
            remedy=_cause(requested, implicit=implicit)
            if requested.is_quantized
            else "See which nodes the variant keeps in FP32.",
            nodes=tuple(dict.fromkeys(name for layer in kept for name in layer.source_names))[:50],
            evidence=evidence,
        )


def _not_recorded(layers: list[EngineLayer], name: str, evidence: str) -> Finding:
    """With Q/DQ pairs in the file, a compiled block may well be quantized inside: its record only tells its border."""
    blocks = sum(is_opaque(layer) for layer in layers)
    what = "one compiled block holds" if blocks == 1 else f"{blocks} compiled blocks hold"
    return Finding(
        rule="precision-not-recorded",
        severity=Severity.WARNING,
        message=f"{name} was asked for; {what} its nodes, and the record names only the precision at the border.",
        remedy=f"Hold its size and time against the FP16 engine's: they tell whether {name} is at work inside.",
        evidence=evidence,
    )


def _lower_than_asked(record: EngineRecord, requested: Precision) -> Iterator[Finding]:
    """FP32 leaves a file as it is: what is FP16 or quantized in it is built so."""
    if requested not in (Precision.FP32, Precision.TF32):
        return
    full = (Precision.FP32, Precision.TF32, Precision.UNKNOWN)
    lower = [layer for layer in record.working_layers if layer.precision not in full]
    if lower:
        kinds = Counter(layer.precision.value.upper() for layer in lower)
        yield Finding(
            rule="precision-below-request",
            severity=Severity.WARNING,
            message=(
                f"{requested.value.upper()} was asked for; {len(lower)} of {len(record.working_layers)} layers run "
                f"lower: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}."
            ),
            remedy="The file itself holds lower types, which no variant raises. Upload the FP32 model it came from.",
            nodes=tuple(dict.fromkeys(name for layer in lower for name in layer.source_names))[:50],
            evidence=", ".join(f"{count} {kind}" for kind, count in record.precisions.items()),
        )


def _cause(requested: Precision, *, implicit: bool) -> str:
    if implicit:
        return (
            "TensorRT takes INT8 where it is faster and every tensor has a scale. Fold constants so that biases are "
            "constant; for transformer blocks build the variant with Q/DQ pairs instead."
        )
    if requested.is_quantized:
        return (
            "Look for nodes without Q/DQ pairs on every input, weights scaled along the wrong axis, or a rule that "
            "keeps nodes in higher precision."
        )
    return "Check that the variant's file is the one that was built, and which nodes it keeps in FP32."


def _casts(record: EngineRecord) -> Iterator[Finding]:
    layers = record.working_layers
    casts = [layer for layer in layers if _only_moves(layer)]
    if len(casts) >= 3 and len(casts) >= 0.05 * len(layers):
        yield Finding(
            rule="casts-and-reformats",
            severity=Severity.WARNING,
            message=f"{len(casts)} of {len(layers)} layers only cast, quantize, copy or change the layout.",
            remedy="Keep neighbours in one precision; quantize both sides of layers that only move data.",
            nodes=tuple(dict.fromkeys(name for layer in casts for name in layer.source_names))[:50],
            evidence=", ".join(layer.name for layer in casts[:5]),
        )


def _only_moves(layer: EngineLayer) -> bool:
    if layer.kind.lower() in ("reformat", "copy", "shuffle", "noop"):
        return True
    ops = kernel_ops(layer)
    return bool(ops) and set(ops) <= _MOVING and bool({"Cast", "Move", "Resh", "Tran", "Conc", "Slic"} & set(ops))


def _separate_epilogues(record: EngineRecord) -> Iterator[Finding]:
    """Convolutions that write a floating dtype: on TensorRT-RTX they give ResNet-50 108 kernels where FP16 has 58."""
    convolutions = [
        layer
        for layer in record.working_layers
        if layer.kind.lower() in ("correlation", "deconv", "caskconvolution") and layer.precision.is_quantized
    ]
    floating = [layer for layer in convolutions if any(tensor.precision in _FLOATING for tensor in layer.outputs)]
    if len(floating) >= 2:
        yield Finding(
            rule="quantized-convolution-writes-floating",
            severity=Severity.WARNING,
            message=f"{len(floating)} of {len(convolutions)} quantized convolutions write a floating dtype; bias, "
            "activation and requantization run in kernels of their own.",
            remedy="Compare the latency with FP16 on the target before choosing INT8: TensorRT-RTX fuses epilogues "
            "of convolutions in FP16, not in INT8.",
            nodes=tuple(dict.fromkeys(name for layer in floating for name in layer.source_names))[:50],
            evidence=", ".join(layer.name for layer in floating[:3]),
        )


def _missing_patterns(fusion: FusionMap) -> Iterator[Finding]:
    total = Counter(match.pattern for match in fusion.patterns)
    missing = Counter(match.pattern for match in fusion.patterns if not match.fused)
    names = {node.index: node.name for node in fusion.nodes}
    for pattern, count in missing.items():
        matches = [match for match in fusion.patterns if match.pattern == pattern and not match.fused]
        important = pattern in ("attention", "q/dq")
        yield Finding(
            rule=f"not-fused-{pattern.replace('+', '-').replace('/', '')}",
            severity=Severity.WARNING if important else Severity.NOTE,
            message=f"{count} of {total[pattern]} expected fusions {pattern} are not in one engine layer.",
            nodes=tuple(names[index] for match in matches for index in match.nodes if index in names)[:50],
            evidence=next((match.reason for match in matches if match.reason), ""),
        )


def _unnamed(record: EngineRecord) -> Iterator[Finding]:
    layers = [layer for layer in record.working_layers if not layer.source_names]
    if layers:
        yield Finding(
            rule="layers-without-nodes",
            severity=Severity.NOTE,
            message=f"{len(layers)} of {len(record.working_layers)} layers name no node: the compiler made them.",
            evidence=", ".join(layer.name for layer in layers[:5]),
        )
