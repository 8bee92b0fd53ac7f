"""What the GPU's own samples say about a run: clocks that were held back or moved, and neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import GpuSample

UNSTABLE_CLOCKS = 0.02  # of the fastest clock; below trtexec's 2.5 % for times, which follow the clock
_REMEDIES = {
    "power limit": "Compare at one clock: nvidia-smi --lock-gpu-clocks below what the power limit allows.",
    "temperature": "Let it cool down, improve the cooling, or lock a lower clock.",
    "power brake": "Check the power supply of the machine.",
}


def gpu_findings(samples: Sequence[GpuSample]) -> tuple[Finding, ...]:
    """Throttling, moving clocks and neighbours, out of samples that were taken beside a run.

    The first sample is left out where clocks are judged: the GPU may still have been idle.
    """
    found = (_throttled(samples[1:]), _moving(samples[1:]), _shared(samples))
    return tuple(item for item in found if item is not None)


def _throttled(samples: Sequence[GpuSample]) -> Finding | None:
    reasons = Counter(reason for sample in samples for reason in sample.held_back_by)
    if not reasons:
        return None
    held = sum(bool(sample.held_back_by) for sample in samples)
    first = reasons.most_common(1)[0][0]
    return Finding(
        rule="gpu-throttled",
        severity=Severity.WARNING,
        message=f"The GPU held its clocks back in {held} of {len(samples)} samples: {', '.join(sorted(reasons))}.",
        remedy=next((text for word, text in _REMEDIES.items() if first.startswith(word)), "See nvidia-smi -q."),
        evidence=f"NVML's clock event reasons; {_spread(samples)}",
    )


def _moving(samples: Sequence[GpuSample]) -> Finding | None:
    clocks = [sample.sm_mhz for sample in samples if sample.sm_mhz]
    if len(clocks) < 2 or max(clocks) - min(clocks) <= UNSTABLE_CLOCKS * max(clocks):
        return None
    return Finding(
        rule="gpu-clocks-moved",
        severity=Severity.WARNING,
        message=f"The SM clock moved between {min(clocks):,} and {max(clocks):,} MHz during the run.",
        remedy="Lock it with nvidia-smi --lock-gpu-clocks, or warm up for longer.",
        evidence=_spread(samples),
    )


def _shared(samples: Sequence[GpuSample]) -> Finding | None:
    others = max((sample.other_processes or 0 for sample in samples), default=0)
    if not others:
        return None
    seen = sum(bool(sample.other_processes) for sample in samples)
    return Finding(
        rule="gpu-shared",
        severity=Severity.WARNING,
        message=f"{'Another process' if others == 1 else f'{others} other processes'} held memory on the GPU.",
        remedy="Measure where nothing else uses it: nvidia-smi names the processes.",
        evidence=f"in {seen} of {len(samples)} samples",
    )


def clocks_differ(a: Sequence[GpuSample], b: Sequence[GpuSample]) -> tuple[Finding, ...]:
    """That two runs had the GPU at other clocks, by the medians of the SM clock without each run's first sample."""
    first, second = (_clock(samples) for samples in (a, b))
    if first is None or second is None or abs(first - second) <= UNSTABLE_CLOCKS * max(first, second):
        return ()
    return (
        Finding(
            rule="conditions-differ-clocks",
            severity=Severity.WARNING,
            message=f"The runs differ in the SM clock: {first:,.0f} MHz against {second:,.0f} MHz.",
            remedy="Lock it with nvidia-smi --lock-gpu-clocks, and measure both again.",
            evidence=f"medians; {_spread(a)}; {_spread(b)}",
        ),
    )


def _clock(samples: Sequence[GpuSample]) -> float | None:
    known = [sample.sm_mhz for sample in samples[1:] or samples if sample.sm_mhz]
    return median(known) if known else None


def _spread(samples: Sequence[GpuSample]) -> str:
    """`SM 1,755 to 1,980 MHz, 45 to 52 °C, up to 412 W`; what the driver does not say is left out."""
    clocks = [sample.sm_mhz for sample in samples if sample.sm_mhz]
    degrees = [sample.temperature_c for sample in samples if sample.temperature_c is not None]
    watts = [sample.power_w for sample in samples if sample.power_w is not None]
    parts = [f"SM {_range(clocks)} MHz"] if clocks else []
    parts += [f"{_range(degrees)} °C"] if degrees else []
    parts += [f"up to {max(watts):.0f} W"] if watts else []
    return ", ".join(parts)


def gpu_sentence(samples: Sequence[GpuSample]) -> str:
    """Clocks, temperature and power of a run in one line, "" where nothing was sampled."""
    said = _spread(samples[1:] or samples)
    return f"{said} ({len(samples)} samples of NVML)" if said else ""


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
