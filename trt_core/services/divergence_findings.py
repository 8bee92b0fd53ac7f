"""What has to be said about a comparison beside its errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph
from trt_core.domain.requests import DivergeSpec

if TYPE_CHECKING:
    from trt_core.analysis.divergence import Comparison

_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


def baseline_dtypes(graph: Graph) -> str:
    """The floating dtypes of the file: `fp32`, or `fp16 and fp32` of one that was lowered before."""
    dtypes = {spec.dtype for spec in graph.tensors.values() if spec.is_floating}
    return " and ".join(sorted(_SHORT.get(name, name) for name in dtypes)) or "no floating tensor"


def lowered_already(graph: Graph) -> Iterator[Finding]:
    """A baseline that is in low precision itself."""
    low = sorted({spec.dtype for spec in graph.tensors.values() if spec.is_floating} - {"float32", "float64"})
    if low:
        yield Finding(
            rule="baseline-not-fp32",
            severity=Severity.WARNING,
            message=f"The file holds {' and '.join(low)} itself: what it lost by that is in the baseline, not shown.",
            remedy="Compare the FP32 model that it was made from.",
        )


def baseline_nan(graph: Graph, comparison: Comparison) -> Iterator[Finding]:
    """NaN that the model itself gives: there is nothing to compare with, and no error is counted there."""
    counts = dict(comparison.baseline_nan)
    outputs = [f"{counts[spec.name]:,} elements of {spec.name!r}" for spec in graph.outputs if spec.name in counts]
    first = next((layer for layer in comparison.layers if layer.tensor in counts), None)
    if outputs:
        yield Finding(
            rule="baseline-gives-nan",
            severity=Severity.WARNING,
            message=f"The model as uploaded gives NaN itself: {', '.join(outputs)}. These elements are not compared.",
            remedy="Check the model and the data's range before its precision.",
            nodes=(first.name,) if first else (),
            evidence=f"{comparison.samples} samples in ONNX Runtime"
            + (f"; the first node that gives NaN is {first.op_type} {first.name!r}" if first else ""),
        )


def sample_findings(spec: DivergeSpec, comparison: Comparison) -> tuple[Finding, ...]:
    """What the samples, and the tensors that survive, leave unsaid."""
    found = []
    if not spec.data_id:
        found.append(
            Finding(
                rule="random-input",
                severity=Severity.WARNING,
                message="The input is seeded noise, not data: errors on real samples differ.",
                remedy="Give an .npz of real samples.",
            )
        )
    if comparison.samples < spec.samples:
        found.append(
            Finding(
                rule="fewer-samples",
                severity=Severity.NOTE,
                message=f"{spec.samples} samples were asked for; the data hold {comparison.samples}.",
            )
        )
    if comparison.not_compared:
        found.append(
            Finding(
                rule="not-compared",
                severity=Severity.NOTE,
                message=f"{len(comparison.not_compared)} nodes have no tensor that the variants still have.",
                evidence="Folded nodes leave no tensor behind; their work is compared at the node that took it over.",
            )
        )
    return tuple(found)
