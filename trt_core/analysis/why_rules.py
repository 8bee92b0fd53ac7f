"""Why a layer loses: its activations held against the limits of the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trt_core.analysis.activation_stats import LARGEST_FP8, LARGEST_FP16, OUTLIER_FACTOR
from trt_core.domain.divergence import LayerDivergence
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import Precision
from trt_core.domain.triage import ActivationFacts, UnitSensitivity

LOUD_DB = 30.0  # above it, an isolated INT8 error is what eight bits give: nothing to explain
_LARGEST_INT8 = 127.0
_CLIPPED = 0.001
_LOST = 0.25
_GAIN_DB = 6.0
_SOFTMAX_REACH = 50.0  # beyond it, rounding to FP16 moves probabilities by some 2 % and more
_SENSITIVE = frozenset({"Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "Exp", "Pow"})

_MOVING = frozenset({"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Gather", "Split"})


def why_findings(sensitivities: Sequence[UnitSensitivity], precision: Precision) -> tuple[Finding, ...]:
    """Findings for units that lose more than their precision must, in order of suspicion."""
    found: list[Finding] = []
    for item in sensitivities:
        if item.facts is None:
            continue
        if precision in (Precision.INT8, Precision.FP8) and (item.isolated_db or 0.0) < LOUD_DB:
            found += [*_quantized(item, item.facts, precision), *_halves(item)]
        elif precision in (Precision.FP16, Precision.BF16) and item.unit.op_type not in _MOVING:  # its source says it
            found += _half(item, item.facts, precision)
        found += _dead(item, item.facts)
    return tuple(found)


def first_broken(layers: Sequence[LayerDivergence], precision: Precision) -> tuple[Finding, ...]:
    """The first layer, in topological order, at which the whole low-precision run holds NaN or infinity."""
    for layer in layers:
        error = layer.error(precision.value)
        if error is None or not error.nan + error.inf:
            continue
        alone = layer.error(precision.value, isolated=True)
        is_own = alone is not None and alone.nan + alone.inf > 0
        return (
            Finding(
                rule="first-not-finite",
                severity=Severity.BLOCKER,
                message="Here the low-precision run is not finite for the first time"
                + (", with exact inputs, too: the layer itself overflows." if is_own else "."),
                remedy="Keep this node in FP32, or use BF16."
                if is_own
                else "Look at what feeds it: with exact inputs it stays finite.",
                nodes=(layer.name,),
                evidence=f"{error.nan:,} NaN and {error.inf:,} infinite elements in its output.",
            ),
        )
    return ()


def sensitive_inputs(seen: Sequence[tuple[str, str, ActivationFacts]]) -> tuple[Finding, ...]:
    """What softmax and normalization nodes, given as name, op type and facts of their input, read in the baseline.

    FP16 has 11 significant bits: near a magnitude m, neighbours are m / 1024 apart or less. Softmax turns an absolute
    error into a relative one of its probabilities; normalization squares its input.
    """
    found: list[Finding] = []
    for name, op_type, facts in seen:
        reach = max(abs(facts.low), abs(facts.high))
        squares = "Normalization" in op_type
        if reach < (LARGEST_FP16**0.5 if squares else _SOFTMAX_REACH):
            continue
        what = f"squares reach {reach**2:.4g}" if squares else f"FP16 resolves {reach / 1024:.2g} there"
        found.append(
            Finding(
                rule="wide-input",
                severity=Severity.WARNING,
                message=f"{op_type} reads values up to {reach:.4g}; {what}.",
                remedy="Keep this node and what feeds it in FP32, or use BF16 where only the range is too large.",
                nodes=(name,),
                evidence=f"From {facts.low:.4g} to {facts.high:.4g} in FP32, over the ranking samples.",
            )
        )
    return tuple(found)


def _quantized(item: UnitSensitivity, facts: ActivationFacts, precision: Precision) -> Iterator[Finding]:
    node, largest = item.unit.node, LARGEST_FP8 if precision is Precision.FP8 else _LARGEST_INT8
    if precision is Precision.INT8:
        yield from _channels(node, facts)
    yield from _range(node, facts, largest)


def _channels(node: str, facts: ActivationFacts) -> Iterator[Finding]:
    """Channels that share the steps of one scale; FP8 has as many steps in every power of two."""
    if facts.outliers:
        listed = ", ".join(str(channel) for channel in facts.outliers[:8])
        yield Finding(
            rule="outlier-channels",
            severity=Severity.WARNING,
            message=f"{len(facts.outliers)} of {facts.channels} channels are more than {OUTLIER_FACTOR:g} times as "
            f"wide as the middle one: {listed}. One scale for all leaves the others few steps.",
            remedy="Keep this node in FP16, or move the scale of these channels into the weights (SmoothQuant).",
            nodes=(node,),
            evidence=f"Widest channel {facts.outlier_ratio:.0f} times the middle one; predicted SQNR "
            f"{_db(facts.tensor_db)} with one scale, {_db(facts.channel_db)} with one a channel.",
        )
    elif facts.channel_db is not None and facts.tensor_db is not None and facts.channel_db - facts.tensor_db > _GAIN_DB:
        yield Finding(
            rule="uneven-channels",
            severity=Severity.NOTE,
            message="Channels differ in range, and one scale serves them all.",
            remedy="Keep this node in FP16, or equalize its input channels.",
            nodes=(node,),
            evidence=f"Predicted SQNR {_db(facts.tensor_db)} with one scale, {_db(facts.channel_db)} with one a "
            "channel.",
        )


def _range(node: str, facts: ActivationFacts, largest: float) -> Iterator[Finding]:
    """What the calibrated range cuts off, and what its steps swallow; where both, no other range helps."""
    cuts, swallows = facts.clipped_share > _CLIPPED, facts.lost_share > _LOST
    moved = "Keep this node in FP16: values are cut off and become zero at once, so that no other range helps."
    if cuts:
        yield Finding(
            rule="clipping",
            severity=Severity.WARNING,
            message=f"{facts.clipped_share:.2%} of the input values lie beyond the calibrated range.",
            remedy=moved if swallows else "Calibrate with data like these, or with MinMax if the steps may widen.",
            nodes=(node,),
            evidence=f"Values reach {max(abs(facts.low), abs(facts.high)):.4g}; the range ends at "
            f"{(facts.scale or 0.0) * largest:.4g}.",
        )
    if swallows:
        yield Finding(
            rule="rounded-to-zero",
            severity=Severity.WARNING,
            message=f"{facts.lost_share:.0%} of the input values are below half a step and become zero.",
            remedy=moved if cuts else "Calibrate with entropy or a percentile, or keep this node in FP16.",
            nodes=(node,),
            evidence=f"The scale is {facts.scale or 0.0:.4g}; the middle channel reaches {facts.middle_channel:.4g}.",
        )


def _halves(item: UnitSensitivity) -> Iterator[Finding]:
    weights, activations = item.weights_db, item.activations_db
    if weights is None or activations is None or abs(weights - activations) < _GAIN_DB:
        return
    who, other = ("weights", "activations") if weights < activations else ("activations", "weights")
    yield Finding(
        rule=f"{who}-lose",
        severity=Severity.NOTE,
        message=f"The loss comes from the {who}, not from the {other}.",
        remedy="Calibration cannot help weights: keep the node." if who == "weights" else "Look at range and outliers.",
        nodes=(item.unit.node,),
        evidence=f"Isolated SQNR {_db(weights)} with only the weights quantized, {_db(activations)} with only the "
        "activations.",
    )


def _half(item: UnitSensitivity, facts: ActivationFacts, precision: Precision) -> Iterator[Finding]:
    if precision is Precision.FP16:
        yield from _limits(item.unit.node, facts)
    if facts.offset_channels > _LOST * facts.channels:
        title, step = ("FP16", 2.0**-10) if precision is Precision.FP16 else ("BF16", 2.0**-7)
        yield Finding(
            rule="offset-hides-variation",
            severity=Severity.WARNING,
            message=f"{facts.offset_channels} of {facts.channels} channels vary by less than a hundredth of their own "
            "mean: rounding is relative to the mean, and what varies loses its digits.",
            remedy="Keep this node and what reads it in FP32, or take the offset out of its bias.",
            nodes=(item.unit.node,),
            evidence=f"Values from {facts.low:.4g} to {facts.high:.4g}; {title} resolves {_reach(facts) * step:.2g} "
            "there.",
        )
    if item.unit.op_type in _SENSITIVE and (item.isolated_db or 0.0) < LOUD_DB:
        yield Finding(
            rule="sensitive-op",
            severity=Severity.WARNING,
            message=f"{item.unit.op_type} amplifies rounding of its input.",
            remedy="Keep it in FP32; engines absorb the casts.",
            nodes=(item.unit.node,),
            evidence=f"Isolated SQNR {_db(item.isolated_db)}.",
        )


def _reach(facts: ActivationFacts) -> float:
    return max(abs(facts.low), abs(facts.high))


def _limits(node: str, facts: ActivationFacts) -> Iterator[Finding]:
    """Both ends of FP16; BF16 has the range of FP32."""
    if facts.over_fp16_share > 0.0 or facts.broken:
        yield Finding(
            rule="fp16-overflow",
            severity=Severity.BLOCKER,
            message=f"Values reach {_reach(facts):.4g}; FP16 ends at {LARGEST_FP16:.0f}.",
            remedy="Keep this node in FP32, use BF16, or scale the weights down.",
            nodes=(node,),
            evidence=f"{facts.over_fp16_share:.2%} of the values are beyond; {facts.broken} are not finite in FP32.",
        )
    elif _reach(facts) > LARGEST_FP16 / 2:
        yield Finding(
            rule="fp16-near-overflow",
            severity=Severity.WARNING,
            message=f"Values reach {_reach(facts):.4g}, near the end of FP16.",
            remedy="Keep this node in FP32: other data may overflow.",
            nodes=(node,),
        )
    if facts.subnormal_share > _LOST:
        yield Finding(
            rule="fp16-subnormal",
            severity=Severity.WARNING,
            message=f"{facts.subnormal_share:.0%} of the values are subnormal in FP16 and lose digits.",
            remedy="Keep this node in FP32, use BF16, or scale the weights up.",
            nodes=(node,),
        )


def _dead(item: UnitSensitivity, facts: ActivationFacts) -> Iterator[Finding]:
    if facts.channels and facts.dead_channels == facts.channels:
        yield Finding(
            rule="dead-range",
            severity=Severity.WARNING,
            message="The values are zero on all samples: their range says nothing.",
            remedy="Check the data, or whether this part of the model is used.",
            nodes=(item.unit.node,),
        )


def _db(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} dB"
