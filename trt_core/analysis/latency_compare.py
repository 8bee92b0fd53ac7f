"""Two latency runs against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from trt_core.analysis.latency import finite_samples
from trt_core.analysis.order_statistics import Floats, independent_samples, resampled_medians
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import LatencyConditions

_DRAWS = 10_000


class Verdict(Enum):
    """What the interval of a ratio allows to say about the second run."""

    FASTER = "faster"
    SLOWER = "slower"
    CANNOT_TELL = "can't tell"


@dataclass(frozen=True, kw_only=True)
class LatencyComparison:
    """How many times faster the second run is: median of the first over median of the second, with its interval."""

    ratio: float
    ratio_ci95: tuple[float, float]
    verdict: Verdict


def compare(a_ms: Sequence[float] | Floats, b_ms: Sequence[float] | Floats, *, seed: int = 0) -> LatencyComparison:
    """The ratio of medians a/b with a bootstrap percentile interval at 95 % (Efron), from 10,000 seeded resamples.

    Neighbouring samples depend on each other, so each run resamples as many as it is worth (`independent_samples`).
    The verdict is "can't tell" while the interval holds 1. It speaks of these two runs: what changes from one start of
    a process to the next is in neither. ValueError as for `summarize`, and for a median of zero.
    """
    a, b = finite_samples(a_ms), finite_samples(b_ms)
    if min(a.min(), b.min()) <= 0:
        raise ValueError("a latency of zero or less has no ratio")
    rng = np.random.default_rng(seed)
    medians = [
        resampled_medians(np.sort(samples), _DRAWS, rng, effective=independent_samples(samples)) for samples in (a, b)
    ]
    low, high = np.percentile(medians[0] / medians[1], (2.5, 97.5))
    verdict = Verdict.FASTER if low > 1.0 else Verdict.SLOWER if high < 1.0 else Verdict.CANNOT_TELL
    ratio = float(np.median(a) / np.median(b))
    return LatencyComparison(ratio=ratio, ratio_ci95=(float(low), float(high)), verdict=verdict)


_CONDITIONS = {
    "device": "device",
    "backend": "backend",
    "backend_version": "backend version",
    "method": "method",
    "shapes": "input shapes",
    "batch": "batch",
    "threads": "threads",
    "warmup": "warm-up",
    "streams": "streams",
    "cuda_graph": "CUDA graph",
    "includes_transfers": "transfers included",
}
_MINOR = frozenset({"backend_version", "warmup", "method"})


def conditions_differ(a: LatencyConditions, b: LatencyConditions) -> tuple[Finding, ...]:
    """One finding for each condition in which two runs differ: what they compare is then not the models alone."""
    found = []
    for name, title in _CONDITIONS.items():
        first, second = getattr(a, name), getattr(b, name)
        if first != second:
            found.append(
                Finding(
                    rule=f"conditions-differ-{name.replace('_', '-')}",
                    severity=Severity.NOTE if name in _MINOR else Severity.WARNING,
                    message=f"The runs differ in {title}: {_text(first)} against {_text(second)}.",
                    remedy="Measure both under the same conditions.",
                )
            )
    if a.load_before is not None and b.load_before is not None and abs(a.load_before - b.load_before) > 1.0:
        found.append(
            Finding(
                rule="conditions-differ-load",
                severity=Severity.NOTE,
                message=f"The machine's load was {a.load_before:.1f} before one run and {b.load_before:.1f} before "
                "the other.",
                remedy="Measure again while nothing else runs.",
            )
        )
    return tuple(found)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in value) or "none"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
