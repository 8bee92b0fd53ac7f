"""What has to be said of a calibration: a cache of another version, tensors that were left without a scale."""

from __future__ import annotations

import re

from trt_core.backends.tensorrt.calibration_cache import cache_version, read_cache, release_text
from trt_core.domain.findings import Finding, Severity

_MISSING = re.compile(r"Missing scale and zero-point for tensor (?P<tensor>.+?), expect fall back", re.MULTILINE)


def cache_notes(cache: str, version: str) -> tuple[Finding, ...]:
    """A note on a cache that was handed in and that another version of TensorRT wrote."""
    if not cache or (found := read_cache(cache)).version == cache_version(version):
        return ()
    return (
        Finding(
            rule="calibration-cache-of-another-version",
            severity=Severity.NOTE,
            message=f"TensorRT {release_text(found.version)} wrote the calibration cache; its scales are used as such.",
            remedy="Calibrate again with this version to see whether it chooses others.",
        ),
    )


def tensors_without_scale(log: str) -> tuple[str, ...]:
    """Tensors of which the builder says that they have no scale, each once, in its order.

    8.6 and 10 warn of each one in a line: "Missing scale and zero-point for tensor NAME, expect fall back ...".
    """
    return tuple(dict.fromkeys(found["tensor"] for found in _MISSING.finditer(log)))


def scale_findings(log: str) -> tuple[Finding, ...]:
    """Tensors without a scale: every layer that reads or writes one stays out of INT8."""
    tensors = tensors_without_scale(log)
    if not tensors:
        return ()
    return (
        Finding(
            rule="tensors-without-scale",
            severity=Severity.WARNING,
            message=f"{len(tensors)} tensors have no scale: layers that read or write them do not run in INT8.",
            remedy="Calibrate with data that reach them, give a cache that names them, or build with Q/DQ pairs.",
            evidence=", ".join(tensors[:5]),
        ),
    )
