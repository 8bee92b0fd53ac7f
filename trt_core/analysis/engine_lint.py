"""What is known to slow engines down, found in their layers.

The rules are those of NVIDIA's TREx (convolutions, reformats, slices, Q/DQ) and the thresholds of its performance
analysis (hot layers, compiled kernels, shape work, tiny kernels, tactics without Tensor Cores).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from trt_core.analysis.attention_rules import attention_not_fused, is_attention, projections_not_fused
from trt_core.analysis.engine_layers import LayerRow, Role, layer_rows
from trt_core.analysis.roofline import LAUNCH_FLOOR_MS
from trt_core.domain.engine import EngineLayer
from trt_core.domain.findings import Finding, Severity, counted
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy

HOT, MODERATE = 0.10, 0.05
_KGEN, _SHAPE, _NO_TENSOR_CORE = 0.25, 0.03, 0.05
_SHAPE_WORK = ("shape, cast or copy layer takes", "shape, cast and copy layers take")
_QDQ_STAYED = ("Q/DQ node stayed a layer of its own", "Q/DQ nodes stayed layers of their own")
_TINY_LAYERS, _TINY_SHARE = 20, 0.20
_TENSOR_CORE = re.compile(
    r"tensor\d|_(?:h|i|s)?(?:884|8816|1688|16816|16832|168128)|[hi]mma|qmma|warpgroup|cgasize|gmma|wgmma", re.IGNORECASE
)
# cuDNN's older kernels multiply INT8 in vectors of four (dp4a); _scudnn_ computes in FP32.
_SCALAR = re.compile(r"simt|ffma|hfma|dp4a|idp4a|_icudnn_int8x4_|_scudnn_", re.IGNORECASE)


def lint(study: EngineStudy) -> tuple[Finding, ...]:
    """All rules over one engine; those about time are silent where there are no layer times."""
    rows = layer_rows(study)
    by_position = dict(enumerate(study.record.layers))
    found = [
        _hot(rows),
        _tiny(rows),
        _share(rows, "compiled-kernels", ("compiled kernel takes", "compiled kernels take"), _KGEN, _is_compiled),
        _share(rows, "shape-work", _SHAPE_WORK, _SHAPE, _is_shape_work),
        _no_tensor_core(rows),
        _float_out(rows, by_position),
        _alignment(rows, by_position),
        _reformats(rows),
        _converting_reformats(rows, by_position),
        _converting_slices(rows, by_position),
        _unfused_qdq(rows),
        attention_not_fused(rows, study),
        projections_not_fused(rows),
        _streams(rows, by_position),
    ]
    return tuple(item for item in found if item is not None)


def uses_tensor_core(kernel: str) -> bool | None:
    """True or False where a tactic's name says whether it uses Tensor Cores; None where it does not say."""
    if _SCALAR.search(kernel):
        return False
    return True if _TENSOR_CORE.search(kernel) else None


def _hot(rows: Sequence[LayerRow]) -> Finding | None:
    hot = [row for row in rows if (row.share or 0.0) >= MODERATE]
    if not hot or len(rows) < 4:
        return None
    hot.sort(key=lambda row: -(row.share or 0.0))
    most = [row for row in hot if (row.share or 0.0) >= HOT]
    return Finding(
        rule="hot-layers",
        severity=Severity.WARNING if most else Severity.NOTE,
        message=f"{counted(len(most), 'layer takes', 'layers take')} {HOT:.0%} or more of the time each, "
        f"{counted(len(hot) - len(most), 'more takes', 'more take')} {MODERATE:.0%} or more.",
        remedy="Begin with these.",
        nodes=tuple(row.name for row in hot),
    )


def _tiny(rows: Sequence[LayerRow]) -> Finding | None:
    tiny = [row for row in rows if row.time_ms is not None and 0 < row.time_ms < LAUNCH_FLOOR_MS]
    share = sum(row.share or 0.0 for row in tiny)
    if len(tiny) < _TINY_LAYERS or share < _TINY_SHARE:
        return None
    return Finding(
        rule="tiny-kernels",
        severity=Severity.WARNING,
        message=f"{len(tiny)} layers take less than {LAUNCH_FLOOR_MS * 1000:.0f} µs each and {share:.0%} of the time "
        "together: they cost launches, not work.",
        remedy="Use a CUDA graph, a larger batch, or fold and fuse what is around them.",
        nodes=tuple(row.name for row in tiny),
    )


def _is_compiled(row: LayerRow) -> bool:
    return row.kind.lower() in ("kgen", "runtime_fusion") and not is_attention(row)


def _is_shape_work(row: LayerRow) -> bool:
    return row.role is Role.SHAPE or row.kind.lower() in ("cast", "shape_call", "devicetoshapehost")


def _share(
    rows: Sequence[LayerRow], rule: str, what: tuple[str, str], limit: float, wanted: Callable[[LayerRow], bool]
) -> Finding | None:
    chosen = [row for row in rows if wanted(row)]
    share = sum(row.share or 0.0 for row in chosen)
    if share < limit:
        return None
    return Finding(
        rule=rule,
        severity=Severity.NOTE,
        message=f"{counted(len(chosen), *what)} {share:.0%} of the time; from {limit:.0%} on that is worth a look.",
        nodes=tuple(row.name for row in chosen),
    )


def _no_tensor_core(rows: Sequence[LayerRow]) -> Finding | None:
    reduced = [row for row in rows if row.role is Role.MATRIX and row.precision is not Precision.FP32]
    scalar = [row for row in reduced if uses_tensor_core(row.kernel) is False]
    share = sum(row.share or 0.0 for row in scalar)
    if not scalar:
        return None
    return Finding(
        rule="no-tensor-core",
        severity=Severity.WARNING if share >= _NO_TENSOR_CORE else Severity.NOTE,
        message=f"{counted(len(scalar), 'convolution or matrix layer runs', 'convolutions or matrix layers run')} a "
        f"tactic without Tensor Cores ({share:.0%} of the time).",
        remedy="Check that channels are multiples of 8 (FP16) or 16 (INT8); a first layer with few channels may "
        "have no other.",
        nodes=tuple(row.name for row in scalar),
        evidence="the tactics' names",
    )


def _float_out(rows: Sequence[LayerRow], layers: dict[int, EngineLayer]) -> Finding | None:
    found = [row for row in rows if row.role is Role.MATRIX and _int8_to_float(layers[row.position])]
    if not found:
        return None
    return Finding(
        rule="int8-in-float-out",
        severity=Severity.NOTE,
        message=f"{counted(len(found), 'layer reads INT8 and writes', 'layers read INT8 and write')} floating point: "
        "what follows reads twice the bytes or more.",
        remedy="Quantize what reads them, so that they can write INT8.",
        nodes=tuple(row.name for row in found),
    )


def _int8_to_float(layer: EngineLayer) -> bool:
    if not layer.inputs or not layer.outputs or layer.inputs[0].precision is not Precision.INT8:
        return False
    return layer.outputs[0].precision in (Precision.FP32, Precision.FP16, Precision.BF16)


def _alignment(rows: Sequence[LayerRow], layers: dict[int, EngineLayer]) -> Finding | None:
    found = [row for row in rows if row.role is Role.MATRIX and _misaligned(layers[row.position], row.precision)]
    if not found:
        return None
    return Finding(
        rule="channels-not-aligned",
        severity=Severity.NOTE,
        message=f"{counted(len(found), 'convolution has', 'convolutions have')} channels that are no multiple of 8 "
        "(FP16) or 16 (INT8): part of each tile is padding.",
        remedy="Choose channel counts that are multiples, where the model is still yours to change.",
        nodes=tuple(row.name for row in found),
    )


def _misaligned(layer: EngineLayer, precision: Precision) -> bool:
    multiple = {Precision.FP16: 8, Precision.BF16: 8, Precision.INT8: 16, Precision.FP8: 16}.get(precision)
    if multiple is None:
        return False
    ends = [tensors[0].shape for tensors in (layer.inputs, layer.outputs) if tensors]
    return any(len(shape) == 4 and shape[1] > 0 and shape[1] % multiple for shape in ends)


def _reformats(rows: Sequence[LayerRow]) -> Finding | None:
    found = [row for row in rows if row.role is Role.REFORMAT and row.time_ms != 0]
    share = sum(row.share or 0.0 for row in found)
    if not found or (share < _SHAPE and len(found) < 4):
        return None
    return Finding(
        rule="reformats",
        severity=Severity.WARNING if share >= HOT else Severity.NOTE,
        message=f"{counted(len(found), 'reformat or cast takes', 'reformats and casts take')} {share:.0%} of the time "
        f"and {'computes' if len(found) == 1 else 'compute'} nothing.",
        remedy="Feed the engine in the format it wants, and change precision less often.",
        nodes=tuple(row.name for row in sorted(found, key=lambda row: -(row.time_ms or 0.0))),
    )


def _converting_reformats(rows: Sequence[LayerRow], layers: dict[int, EngineLayer]) -> Finding | None:
    """Another layout is a choice of the builder's; another dtype comes from the network, and can be changed there."""
    found = [
        row for row in rows if row.role is Role.REFORMAT and row.time_ms != 0 and _conversion(layers[row.position])
    ]
    if not found:
        return None
    share = sum(row.share or 0.0 for row in found)
    kinds = Counter(_conversion(layers[row.position]) for row in found)
    return Finding(
        rule="reformat-converts",
        severity=Severity.WARNING if share >= MODERATE else Severity.NOTE,
        message=f"{counted(len(found), 'reformat changes', 'reformats change')} the dtype, not only the layout "
        f"({share:.1%} of the time).",
        remedy="Let neighbours run in one precision; one at the engine's input or output is usual.",
        nodes=tuple(row.name for row in sorted(found, key=lambda row: -(row.time_ms or 0.0))),
        evidence=", ".join(f"{count} {words}" for words, count in kinds.most_common()),
    )


def _conversion(layer: EngineLayer) -> str:
    """`FP32 to INT8` where a layer's first output has another dtype than its first input, else empty."""
    if not layer.inputs or not layer.outputs:
        return ""
    ends = layer.inputs[0], layer.outputs[0]
    if not all(tensor.dtype for tensor in ends) or ends[0].dtype == ends[1].dtype:
        return ""
    return " to ".join(
        tensor.dtype if tensor.precision is Precision.UNKNOWN else tensor.precision.value.upper() for tensor in ends
    )


def _converting_slices(rows: Sequence[LayerRow], layers: dict[int, EngineLayer]) -> Finding | None:
    found = [row for row in rows if row.kind.lower() == "slice" and _conversion(layers[row.position])]
    if not found:
        return None
    return Finding(
        rule="slice-converts",
        severity=Severity.NOTE,
        message=f"{counted(len(found), 'slice changes', 'slices change')} the dtype on the way.",
        remedy="Cast before or after, where a neighbour can take it in.",
        nodes=tuple(row.name for row in found),
    )


def _unfused_qdq(rows: Sequence[LayerRow]) -> Finding | None:
    found = [row for row in rows if row.role is Role.QDQ]
    if not found:
        return None
    share = sum(row.share or 0.0 for row in found)
    return Finding(
        rule="qdq-not-fused",
        severity=Severity.WARNING if share >= MODERATE else Severity.NOTE,
        message=f"{counted(len(found), *_QDQ_STAYED)} ({share:.1%} of the time).",
        remedy="One at the engine's input is usual; elsewhere look at where the pairs are placed.",
        nodes=tuple(row.name for row in found),
    )


def _streams(rows: Sequence[LayerRow], layers: dict[int, EngineLayer]) -> Finding | None:
    streams = Counter(layers[row.position].stream for row in rows)
    if len(streams) < 2:
        return None
    beside = len(rows) - streams.most_common(1)[0][1]
    return Finding(
        rule="auxiliary-streams",
        severity=Severity.NOTE,
        message=f"{beside} of {len(rows)} layers run on other streams, beside the rest: times of layers add up to more "
        "than the engine takes.",
        remedy="Build with --maxAuxStreams=0 to see each layer by itself.",
    )
