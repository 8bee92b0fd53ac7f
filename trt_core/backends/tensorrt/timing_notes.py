"""How a build's timing cache served, in one finding."""

from __future__ import annotations

from collections.abc import Iterator

from trt_core.backends.tensorrt.build_log import TimingCacheUse
from trt_core.domain.findings import Finding, Severity


def timing_findings(use: TimingCacheUse, log: str) -> Iterator[Finding]:
    """The hit rate, and what cannot be cached; nothing for a log that does not tell."""
    if use.hit_rate is None:
        return
    compiled = f" {use.compiled_s:.1f} s went into blocks that are compiled anew each time." if use.compiled_s else ""
    evidence = f"{use.loaded} timings loaded, {use.stored} kept; tactics were timed for {use.timing_s:.1f} s"
    if use.served is not None:
        evidence += f"; TensorRT counts {use.served} hits of single tactics"
    if "The timing cache will not be used!" in log:
        evidence += "; the cache's part for compiled blocks was not taken"
    yield Finding(
        rule="timing-cache",
        severity=Severity.NOTE,
        message=f"{use.answered} of {use.lookups} choices of a tactic ({use.hit_rate:.0%}) needed no timing.{compiled}",
        remedy="" if use.loaded else "The next build on this GPU starts from these timings.",
        evidence=evidence,
    )
