"""Why a quantized engine is not faster, in sentences with their figures."""

from __future__ import annotations

from trt_core.analysis.engine_compare import Alignment, Cause, EngineComparison
from trt_core.analysis.engine_layers import LayerRow, Role, has_matrix_work, layer_rows
from trt_core.domain.findings import Finding, Severity, counted
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy, RunConditions

_FALLBACK = "expect fall back to non-int8"
_NOTICEABLE = 0.05  # of the first engine's layer time


def why(comparison: EngineComparison) -> tuple[Finding, ...]:
    """The reasons in the order of their weight; each rests on layer times or on the builder's own words."""
    first, second = comparison.first, comparison.second
    found = [
        *_not_alike(comparison),
        *_asked_and_not_run(second),
        *_one_block(second),
        *_float_fallback(comparison),
        *_fixed_costs(comparison),
        *_moves(comparison),
        *_fusion_lost(comparison),
        *_gains(comparison),
        *_host_bound(second),
    ]
    if not (first.has_times and second.has_times):
        found.append(
            Finding(
                rule="no-layer-times",
                severity=Severity.NOTE,
                message="One of the engines has no layer times: layers are aligned, but nothing adds up.",
                remedy="Export a layer profile in a run of its own (--exportProfile --separateProfileRun).",
            )
        )
    return tuple(found)


def _not_alike(comparison: EngineComparison) -> list[Finding]:
    """Engines of different models, or recorded under different conditions, answer another question."""
    first, second = comparison.first, comparison.second
    found = []
    if comparison.alignment is Alignment.PLACES:
        found.append(_by_place(comparison))
    if comparison.alignment is Alignment.NOTHING and comparison.groups:
        found.append(_not_aligned(comparison))
    for what, one, other in (("device", first.device, second.device), ("batch", first.batch, second.batch)):
        if one and other and one != other:
            found.append(
                Finding(
                    rule=f"conditions-differ-{what}",
                    severity=Severity.WARNING,
                    message=f"The engines were recorded with another {what}: {one} against {other}.",
                    remedy="Compare recordings of one device, version and batch.",
                )
            )
    return [*found, *_run_otherwise(first.run, second.run)]


def _by_place(comparison: EngineComparison) -> Finding:
    both = sum(bool(group.first and group.second) for group in comparison.groups)
    return Finding(
        rule="aligned-by-place",
        severity=Severity.WARNING,
        message="The engines share no node's name: layers are aligned by the order in which they run and the shapes "
        f"that they read and write, in {counted(both, 'place')}.",
        remedy="Read it as a guess, and only for engines of one model; nodes that have names at export align exactly.",
    )


def _not_aligned(comparison: EngineComparison) -> Finding:
    has_names = any(group.nodes for group in comparison.groups)
    said = (
        "The engines share no node, and layer after layer they write other shapes: they seem to be of different models."
    )
    if not has_names:
        said = (
            "Nothing is aligned: the records name no node, and layer after layer they write other shapes, or tell none."
        )
    return Finding(
        rule="no-shared-nodes",
        severity=Severity.WARNING,
        message=said,
        remedy="Compare engines of one model, exported with names and built with --profilingVerbosity=detailed.",
    )


_RUN = {
    "cuda_graph": ("CUDA graph", "on", "off"),
    "transfers": ("copies", "in the loop", "left out"),
    "spin_wait": ("waiting", "by spinning", "by sleeping"),
    "separate_profile": ("layer times", "from a run of their own", "from the timed run"),
}


def _run_otherwise(first: RunConditions | None, second: RunConditions | None) -> list[Finding]:
    """With 11 the defaults of trtexec changed: the same command line measures something else there."""
    if first is None or second is None:
        return []
    differ = [
        f"{title} {on if getattr(first, name) else off} against {on if getattr(second, name) else off}"
        for name, (title, on, off) in _RUN.items()
        if getattr(first, name) != getattr(second, name)
    ]
    if first.streams != second.streams:
        differ.append(f"{first.streams} streams against {second.streams}")
    if not differ:
        return []
    return [
        Finding(
            rule="conditions-differ-trtexec",
            severity=Severity.WARNING,
            message=f"trtexec ran the engines under other conditions: {'; '.join(differ)}.",
            remedy="Run both alike: --useCudaGraph --noDataTransfers --useSpinWait --separateProfileRun make 8 to 10 "
            "run as 11 does by default.",
            evidence="; ".join(f"{run.version or 'version not known'}: {run.source}" for run in (first, second)),
        )
    ]


def _asked_and_not_run(study: EngineStudy) -> list[Finding]:
    if not study.asked.is_quantized:
        return []
    rows = layer_rows(study)
    able = [row for row in rows if has_matrix_work(row)]
    ran = [row for row in able if row.precision is study.asked]
    if not able or len(ran) * 2 > len(able):
        return []
    asked = study.asked.value.upper()
    words = [line for line in study.said if _FALLBACK in line.lower()]
    return [
        Finding(
            rule="quantized-asked-not-run",
            severity=Severity.WARNING,
            message=f"{asked} was asked for; {len(ran)} of {len(able)} layers with matrix work run in it.",
            remedy="Give the precision as Q/DQ in a file with constants folded, so that the builder has to follow it.",
            evidence=words[0] if words else "the precision of each layer's operands in the engine's record",
        )
    ]


def _one_block(study: EngineStudy) -> list[Finding]:
    blocks = [row for row in layer_rows(study) if row.role is Role.BLOCK and row.share and row.share > 0.5]
    if not blocks or not study.asked.is_quantized or blocks[0].precision is study.asked:
        return []
    block = blocks[0]
    return [
        Finding(
            rule="quantized-block-in-float",
            severity=Severity.WARNING,
            message=f"One compiled block takes {block.share or 0:.0%} of the time and computes in "
            f"{block.precision.value.upper()}: calibration ranges do not reach into it.",
            remedy="Quantize its matrix multiplications with Q/DQ, or use a newer TensorRT.",
            nodes=(block.name,),
        )
    ]


def _float_fallback(comparison: EngineComparison) -> list[Finding]:
    if not comparison.second.asked.is_quantized:
        return []
    stayed = [row for group in comparison.groups for row in group.second if _is_float_matrix(row)]
    spent = sum(row.time_ms or 0.0 for row in stayed)
    total = comparison.second.layers_ms
    if not stayed or not total or spent < _NOTICEABLE * total:
        return []
    facts = {fact.name: fact for fact in comparison.second.facts}
    dynamic = sum(facts[row.name].has_dynamic_bias for row in stayed if row.name in facts)
    cause = f" {dynamic} of them take their bias from another layer instead of a constant." if dynamic else ""
    return [
        Finding(
            rule="matrix-layers-stayed-float",
            severity=Severity.WARNING,
            message=f"{len(stayed)} convolutions and matrix layers stayed in floating point; they take {_time(spent)}, "
            f"{spent / total:.0%} of the layer time.{cause}",
            remedy="Fold constants before building, so that every bias is a constant."
            if dynamic
            else "Look at why each stayed: missing ranges, unsupported shapes, or a float tactic that was faster.",
            nodes=tuple(row.name for row in sorted(stayed, key=lambda row: -(row.time_ms or 0.0))),
        )
    ]


def _is_float_matrix(row: LayerRow) -> bool:
    return row.role is Role.MATRIX and not row.precision.is_quantized and row.precision is not Precision.UNKNOWN


def _fixed_costs(comparison: EngineComparison) -> list[Finding]:
    copies = [group for group in comparison.groups if group.cause is Cause.BIAS_COPIES]
    spent, before = sum(group.second_ms for group in copies), sum(group.first_ms for group in copies)
    count, count_before = sum(len(group.second) for group in copies), sum(len(group.first) for group in copies)
    total = comparison.second.layers_ms
    if total and spent >= _NOTICEABLE * total:
        return [
            Finding(
                rule="constant-copies",
                severity=Severity.WARNING,
                message=f"{count} layers copy constants at every inference: {_time(spent)}, {spent / total:.0%} of the "
                f"layer time, whatever the precision ({_time(before)} in the other engine).",
                remedy="Fold constants before building: biases that are shared through Identity nodes are not constant "
                "to the builder.",
            )
        ]
    if comparison.first.layers_ms and before - spent >= _NOTICEABLE * comparison.first.layers_ms:
        return [
            Finding(
                rule="constant-copies-gone",
                severity=Severity.NOTE,
                message=f"{count_before - count} layers that copied constants are gone, which saves "
                f"{_time(before - spent)} of layer time: that gain comes from the file, not from the precision.",
            )
        ]
    return []


def _fusion_lost(comparison: EngineComparison) -> list[Finding]:
    split = [g for g in comparison.groups if g.cause in (Cause.FUSION_LOST, Cause.FUSION_LOST_LOWER)]
    delta = sum(group.delta_ms for group in split)
    if delta < 0.02 * comparison.first.layers_ms:
        return []
    more = sum(len(group.second) - len(group.first) for group in split)
    return [
        Finding(
            rule="fusion-lost",
            severity=Severity.WARNING,
            message=f"{_count(len(split), 'group')} need {more} layers more than in the other engine and take "
            f"{_time(delta)} longer, although they may compute in lower precision.",
            remedy="Quantize both inputs of a residual Add, so that it can join the convolution before it.",
            nodes=tuple(group.label for group in sorted(split, key=lambda group: -group.delta_ms)),
        )
    ]


def _moves(comparison: EngineComparison) -> list[Finding]:
    found = []
    for cause, rule, remedy in (
        (Cause.REFORMATS, "reformats-added", "Let neighbours agree on a format: fewer changes of precision do that."),
        (Cause.QDQ, "qdq-unfused", "Place Q/DQ before the inputs of what is quantized, and on every input of an Add."),
    ):
        added = sum(group.delta_ms for group in comparison.groups if group.cause is cause)
        layers = sum(len(g.second) - len(g.first) for g in comparison.groups if g.cause is cause)
        if added > 0.02 * comparison.first.layers_ms:
            found.append(
                Finding(
                    rule=rule,
                    severity=Severity.WARNING,
                    message=f"{cause.value[0].upper() + cause.value[1:]} add {_time(added)} in "
                    f"{_count(layers, 'layer')} more.",
                    remedy=remedy,
                )
            )
    return found


def _gains(comparison: EngineComparison) -> list[Finding]:
    lower = [group for group in comparison.groups if group.cause is Cause.LOWER_PRECISION]
    faster = [group for group in lower if group.delta_ms < 0]
    slower = [group for group in lower if group.delta_ms > 0]
    if not lower:
        return []
    gain, loss = -sum(g.delta_ms for g in faster), sum(g.delta_ms for g in slower)
    return [
        Finding(
            rule="lower-precision-gains",
            severity=Severity.NOTE,
            message=f"In lower precision {_count(len(faster), 'group')} got faster and saved {_time(gain)}, "
            f"{len(slower)} got slower and cost {_time(loss)}.",
            remedy="Keep the slower ones in their former precision." if loss > gain / 4 else "",
            nodes=tuple(g.label for g in sorted(slower, key=lambda g: -g.delta_ms)[:10]),
        )
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _time(time_ms: float) -> str:
    return f"{time_ms * 1000:.3g} µs" if abs(time_ms) < 0.1 else f"{time_ms:.3g} ms"


def _host_bound(study: EngineStudy) -> list[Finding]:
    if study.total_ms is None or study.graph_ms is None or study.total_ms < 1.1 * study.graph_ms:
        return []
    return [
        Finding(
            rule="launch-bound",
            severity=Severity.NOTE,
            message=f"With a CUDA graph the engine takes {study.graph_ms:.3g} ms instead of {study.total_ms:.3g} ms: "
            "the rest is launching kernels, which no precision makes faster.",
            remedy="Run it as a CUDA graph.",
        )
    ]
