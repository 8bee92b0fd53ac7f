"""Divergence: how far a low-precision run is from the baseline, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.findings import Finding


@dataclass(frozen=True, kw_only=True)
class TensorError:
    """Error of one tensor over all samples.

    `sqnr_db` = 10 log10(sum x^2 / sum (x - y)^2), inf when equal; `rel_l2` = ||x - y|| / ||x||; `cosine` of the
    flattened tensors; `max_abs` and `mean_abs` of |x - y| in the tensor's own unit. Non-finite elements of the
    candidate are counted in `nan` and `inf` and make `sqnr_db` -inf, `rel_l2` inf and `cosine` NaN; the absolute errors
    are then those of the finite elements, NaN where there are none.
    """

    sqnr_db: float
    cosine: float
    max_abs: float
    mean_abs: float
    rel_l2: float
    nan: int = 0
    inf: int = 0


@dataclass(frozen=True, kw_only=True)
class ValueHistogram:
    """Counts of a strided sample of one tensor's values; `edges` has one entry more than `counts`."""

    label: str  # "fp32", "fp16", "int8"
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LayerDivergence:
    """One node's first floating output, in topological order, with its error in each candidate precision.

    `accumulated` compares whole low-precision runs; `isolated` has exact inputs and is present only when asked for.
    `avoidable_db` is what the isolated error of a quantized file would fall by with scales that fit these samples.
    """

    index: int
    name: str
    op_type: str
    tensor: str
    accumulated: tuple[tuple[str, TensorError], ...]
    isolated: tuple[tuple[str, TensorError], ...] = ()
    histograms: tuple[ValueHistogram, ...] = ()
    avoidable_db: tuple[tuple[str, float], ...] = ()

    def error(self, precision: str, *, isolated: bool = False) -> TensorError | None:
        """The error in that precision, or None where it was not measured."""
        return dict(self.isolated if isolated else self.accumulated).get(precision)


@dataclass(frozen=True, kw_only=True)
class ScaleChange:
    """Scale and zero point of one tensor in a file, and those that fit its values; per channel, the middle ones."""

    tensor: str
    before: float
    after: float
    zero_before: float = 0.0
    zero_after: float = 0.0


@dataclass(frozen=True, kw_only=True)
class OutputDivergence:
    """A graph output with its error in each candidate precision."""

    name: str
    errors: tuple[tuple[str, TensorError], ...]


@dataclass(frozen=True, kw_only=True)
class DivergenceRun:
    """One comparison. `origin` lists, for each precision, the layers where the loss begins, in order of guilt."""

    id: str
    model_id: str
    created_at: float
    baseline: str
    candidates: tuple[str, ...]
    method: str  # one sentence: simulated or real, on what
    layers: tuple[LayerDivergence, ...]
    outputs: tuple[OutputDivergence, ...]
    origin: tuple[tuple[str, tuple[str, ...]], ...]
    samples: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    variants: tuple[tuple[str, str], ...] = ()  # (precision, id of the variant whose numerics twin was run)
    data: str = ""  # name of the samples; "": seeded noise
    candidate_file: str = ""  # name of the file that was compared as it is; "": variants made here
