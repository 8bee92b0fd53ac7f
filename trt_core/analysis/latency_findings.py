"""What a series of latency samples says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt

import numpy as np

from trt_core.analysis.gpu_findings import gpu_findings
from trt_core.analysis.latency import P99_9_SAMPLES, P99_SAMPLES, finite_samples
from trt_core.analysis.order_statistics import Floats, independent_samples
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import ON_HOST, LatencyRun

UNSTABLE_COV = 0.025  # trtexec's threshold for GPU compute time
_DRIFT = 0.05
_BLOCKS = 20
_OTSU_SHARE = 0.8  # of the variance lies between two modes; a normal distribution has 0.64, a uniform one 0.75


def latency_findings(samples_ms: Sequence[float] | Floats, *, on_cpu: bool) -> tuple[Finding, ...]:
    """Instability, drift, dependence, two modes, and too few samples for a tail. `samples_ms` is in the order taken.

    Sources: coefficient of variation above 2.5 % (trtexec); Theil and Sen's slope with Mann and Kendall's test on the
    medians of 20 blocks; two modes by Otsu's criterion (1979) with an empty valley between them.
    """
    samples = finite_samples(samples_ms)
    found = (
        _unstable(samples, on_cpu=on_cpu),
        _drift(samples),
        _dependent(samples),
        _two_modes(samples),
        _few(samples),
    )
    return tuple(item for item in found if item is not None)


def run_findings(run: LatencyRun) -> tuple[Finding, ...]:
    """`latency_findings`, and trtexec's own warnings where a run knows its host times; medians in ms."""
    conditions = run.conditions
    found = list(latency_findings(run.samples_ms, on_cpu=conditions.backend in ON_HOST))
    median = float(np.median(run.samples_ms))
    if conditions.includes_transfers:  # trtexec holds copies and enqueuing against the computation alone
        median = max(0.0, median - (run.h2d_ms or 0.0) - (run.d2h_ms or 0.0))
    if run.enqueue_ms is not None and run.enqueue_ms > 0.8 * median:
        found.append(_enqueue_bound(run.enqueue_ms, median))
    for name, spent in (("Host-to-device", run.h2d_ms), ("Device-to-host", run.d2h_ms)):
        if spent is not None and spent >= median:
            found.append(
                Finding(
                    rule="transfer-bound",
                    severity=Severity.WARNING,
                    message=f"{name} copies take {spent:.3g} ms, inference {median:.3g} ms.",
                    remedy="Keep the data on the device, or move fewer bytes.",
                )
            )
    found += gpu_findings(run.gpu)
    if conditions.streams > 1:
        found.append(
            Finding(
                rule="several-streams",
                severity=Severity.NOTE,
                message=f"{conditions.streams} streams share the device: latency of one inference is not reliable.",
                remedy="Read the throughput, or measure with one stream.",
            )
        )
    return tuple(found)


def _enqueue_bound(enqueue_ms: float, median_ms: float) -> Finding:
    return Finding(
        rule="enqueue-bound",
        severity=Severity.WARNING,
        message=f"The host takes {enqueue_ms:.3g} ms to enqueue what runs in {median_ms:.3g} ms.",
        remedy="Use a CUDA graph.",
    )


def _unstable(samples: Floats, *, on_cpu: bool) -> Finding | None:
    mean = float(samples.mean())
    cov = float(samples.std()) / mean if mean else 0.0
    if len(samples) < 2 or cov <= UNSTABLE_COV:
        return None
    cause = "Something else uses the processor." if on_cpu else "The clocks may not be locked."
    return Finding(
        rule="unstable-latency",
        severity=Severity.NOTE if on_cpu else Severity.WARNING,
        message=f"The coefficient of variation is {cov:.1%}. {cause}",
        remedy="Measure on an idle machine." if on_cpu else "Lock the clocks, or compare medians only.",
        evidence=f"standard deviation over mean of {len(samples)} samples; the threshold is {UNSTABLE_COV:.1%}",
    )


def _drift(samples: Floats) -> Finding | None:
    if len(samples) < 5 * _BLOCKS:
        return None
    medians = np.array([np.median(block) for block in np.array_split(samples, _BLOCKS)])
    first, second = np.triu_indices(_BLOCKS, k=1)
    slopes = (medians[second] - medians[first]) / (second - first)
    change = float(np.median(slopes)) * (_BLOCKS - 1) / float(np.median(samples))
    score = float(np.sign(medians[second] - medians[first]).sum())
    deviation = sqrt(_BLOCKS * (_BLOCKS - 1) * (2 * _BLOCKS + 5) / 18.0)
    p_value = erfc(max(abs(score) - 1.0, 0.0) / deviation / sqrt(2.0))
    if abs(change) < _DRIFT or p_value > 0.01:
        return None
    return Finding(
        rule="latency-drift",
        severity=Severity.WARNING,
        message=f"Latency {'rises' if change > 0 else 'falls'} by {abs(change):.0%} from the first to the last sample.",
        remedy="Warm up longer; watch temperature and clocks.",
        evidence=f"Theil-Sen slope over the medians of {_BLOCKS} blocks, Mann-Kendall p = {p_value:.2g}",
    )


def _dependent(samples: Floats) -> Finding | None:
    count, worth = len(samples), independent_samples(samples)
    if worth * 2 > count:
        return None
    return Finding(
        rule="dependent-samples",
        severity=Severity.NOTE,
        message=f"Each sample resembles the one before: {count:,} samples are worth {worth:,} independent ones.",
        remedy="Measure for longer: the intervals of p50 and p99 are wider for it, that of p99 perhaps not enough.",
        evidence="lag-one rank autocorrelation (Bayley and Hammersley, 1946)",
    )


def _two_modes(samples: Floats) -> Finding | None:
    if len(samples) < 100:
        return None
    ordered = np.sort(samples)[: int(len(samples) * 0.99)]  # the rarest stalls are no mode
    count = len(ordered)
    below = np.arange(1, count)
    total = np.cumsum(ordered)
    low_means, high_means = total[:-1] / below, (total[-1] - total[:-1]) / (count - below)
    between = below * (count - below) * (high_means - low_means) ** 2 / count**2
    best = int(np.argmax(between))
    low, high, share = float(low_means[best]), float(high_means[best]), (best + 1) / count
    variance = float(ordered.var())
    third = (high - low) / 3.0
    valley = float(np.mean((ordered > low + third) & (ordered < high - third)))
    separate = variance > 0 and float(between[best]) / variance >= _OTSU_SHARE and valley < 0.05
    if not separate or not 0.1 <= share <= 0.9 or (high - low) < _DRIFT * float(np.median(ordered)):
        return None
    return Finding(
        rule="two-latency-modes",
        severity=Severity.WARNING,
        message=f"The samples have two modes: {share:.0%} around {low:.3g} ms, {1 - share:.0%} around {high:.3g} ms.",
        remedy="Look at the samples over time: a change of clock, a neighbour, or two paths through the code.",
        evidence=f"Otsu's criterion {float(between[best]) / variance:.2f}, {valley:.1%} of the samples in the valley",
    )


def _few(samples: Floats) -> Finding | None:
    count = len(samples)
    if count >= P99_9_SAMPLES:
        return None
    if count >= P99_SAMPLES:
        return Finding(
            rule="few-samples-for-p99-9",
            severity=Severity.NOTE,
            message=f"{count} samples are too few for p99.9: it is hidden below {P99_9_SAMPLES}.",
        )
    return Finding(
        rule="few-samples-for-p99",
        severity=Severity.NOTE,
        message=f"{count} samples leave about {count / 100:.0f} beyond p99: read it with its interval, or not at all.",
        remedy=f"Take at least {P99_SAMPLES} samples.",
    )
