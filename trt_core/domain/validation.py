"""Validation: a baseline and a candidate on the same labelled samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from trt_core.domain.findings import Finding
from trt_core.domain.precision import HEALTHY_DB, Precision

DEFAULT_TOLERANCE = 0.005  # relative drop of the metric
DEFAULT_FLOORS = {"sqnr": 30.0, "cosine": 0.999}  # dB of SQNR, where the precision is not known
FLOOR_METRICS = tuple(DEFAULT_FLOORS)  # judged against an absolute floor, without labels
LABEL_METRICS = ("top1", "top5")
# From what a healthy layer reaches to what the outputs must: floats round at every node, and their errors add up. In
# the trained samples FP16, BF16, FP8 and INT4 reach 62, 43, 24 and 15 dB, and INT8 35 dB where no channel is planted.
_FLOOR_MARGINS_DB = {
    Precision.FP16: 12.0,
    Precision.BF16: 12.0,
    Precision.INT8: 6.0,
    Precision.FP8: 6.0,
    Precision.INT4: 6.0,
}
SQNR_FLOORS_DB = {precision: HEALTHY_DB[precision] - margin for precision, margin in _FLOOR_MARGINS_DB.items()}


def default_tolerance(metric: str, precisions: Iterable[Precision] = ()) -> float:
    """What a candidate is held against where nobody said: a relative drop, or a floor of the metric's own unit.

    The floor of SQNR goes by the candidate's precision; for several it is the lowest of theirs.
    """
    usual = DEFAULT_FLOORS.get(metric, DEFAULT_TOLERANCE)
    return SQNR_FLOORS_DB.get(_lowest(metric, precisions), usual)


def floor_words(metric: str, precisions: Iterable[Precision] = ()) -> str:
    """Where a default floor comes from."""
    lowest = _lowest(metric, precisions)
    if lowest is Precision.UNKNOWN:
        return "the default where no low precision is known" if metric == "sqnr" else "the default in every precision"
    return f"what a healthy {lowest.value.upper()} layer reaches, less {_FLOOR_MARGINS_DB[lowest]:g} dB"


def _lowest(metric: str, precisions: Iterable[Precision]) -> Precision:
    """The precision with the lowest floor of SQNR; UNKNOWN for other metrics, and where none has one."""
    known = [item for item in precisions if item in SQNR_FLOORS_DB] if metric == "sqnr" else []
    return min(known, key=SQNR_FLOORS_DB.__getitem__, default=Precision.UNKNOWN)


def bounds_words(low: float, high: float, percent: Callable[[float], str]) -> str:
    """Two bounds on a relative drop; one below -100 %, a metric that more than doubles, says no more than that."""
    lower = f"below {percent(-1.0)}" if low < -1.0 else percent(low)
    return f"{lower} and {percent(high)}"


class Verdict(Enum):
    """What the samples allow to say about a loss."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    TOO_FEW = "too few samples to tell"


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """The same samples through baseline and candidate; all that a judgement on right and wrong needs.

    `lost` were right in the baseline and are wrong in the candidate, `gained` the other way round.
    """

    samples: int
    both: int
    lost: int
    gained: int

    def __post_init__(self) -> None:
        if min(self.both, self.lost, self.gained) < 0 or self.both + self.lost + self.gained > self.samples:
            raise ValueError(f"{self} does not add up")

    @property
    def baseline(self) -> float:
        """Share of samples that the baseline has right."""
        return (self.both + self.lost) / self.samples

    @property
    def candidate(self) -> float:
        """Share of samples that the candidate has right."""
        return (self.both + self.gained) / self.samples


@dataclass(frozen=True, kw_only=True)
class ScoreSums:
    """Paired scores that are not just right or wrong: sums of b, c, b², c² and bc over the samples."""

    samples: int
    baseline: float
    candidate: float
    baseline_squares: float
    candidate_squares: float
    products: float


@dataclass(frozen=True, kw_only=True)
class GroupCounts:
    """Right and wrong answers in groups of dependent samples, such as copies of one original.

    `both`, `lost` and `gained` are those of `PairCounts`, as shares of each group, summed over the groups.
    """

    groups: int
    both: float
    lost: float
    gained: float

    def __post_init__(self) -> None:
        if min(self.both, self.lost, self.gained) < 0.0 or self.both + self.lost + self.gained > self.groups + 1e-6:
            raise ValueError(f"{self} does not add up")


@dataclass(frozen=True, kw_only=True)
class GroupBounds:
    """What the same measurement says where only whole groups of samples are taken for independent."""

    groups: int
    verdict: Verdict
    low: float
    high: float
    groups_needed: int | None = None  # to tell, if the rates stay as seen


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its numbers.

    `relative_drop` is the share of the baseline's metric that the candidate loses, negative where it gains; each end
    of `low`..`high` is a one-sided 95 % bound on it. They are None where the metric is a floor, as `baseline` is, and
    where the baseline scores nothing; the bounds are also where nothing bounds the drop. `samples_needed` is how many
    samples it would take to tell, if the rates stay as seen; None where that cannot be said or is not needed.
    """

    verdict: Verdict
    baseline: float | None
    candidate: float
    tolerance: float
    relative_drop: float | None = None
    low: float | None = None
    high: float | None = None
    samples_needed: int | None = None
    method: str = ""
    by_groups: GroupBounds | None = None  # beside a verdict that counts samples, where the data name their groups

    @property
    def within_tolerance(self) -> bool | None:
        """True or False where the samples decide, None where they are too few."""
        return {Verdict.NOT_WORSE: True, Verdict.WORSE: False}.get(self.verdict)

    @property
    def within_by_estimate(self) -> bool:
        """True where the measured figure itself stays within the tolerance, proven or not."""
        if self.relative_drop is None:  # a floor, or a baseline that scores nothing
            return self.verdict is Verdict.NOT_WORSE
        return self.relative_drop <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one candidate scored on the validation samples; `counts` or `sums` where it can be judged again.

    Where the samples come in groups, `grouped` stands beside `counts`, and `sums` are of group means. `by_groups` says
    which of the two a verdict counts.
    """

    metric: str
    value: float
    baseline: float | None = None
    counts: PairCounts | None = None
    sums: ScoreSums | None = None
    grouped: GroupCounts | None = None
    groups: int | None = None  # how many there are; None where every sample stands for itself
    by_groups: bool = True
    majority: float | None = None  # share of the most frequent label, where the metric is top1


@dataclass(frozen=True, kw_only=True)
class ValidationRun:
    """One validation. Which samples were right is a file beside it; `measured` is enough to judge again.

    `backend` ran the candidate: "ort", or "tensorrt" for the engine itself, then on `device`. `baseline_id` is the
    build whose engine gave the baseline; "" where the model as uploaded did, in ONNX Runtime.
    """

    id: str
    model_id: str
    created_at: float
    subject: str  # what was run as the candidate, in words
    method: str
    metric: str
    samples: int
    measured: Measured
    tolerance: float
    data: str
    variant_id: str = ""
    build_id: str = ""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    backend: str = "ort"
    device: str = ""
    reference: str = "the model as uploaded, in ONNX Runtime"  # what was run as the baseline, in words
    baseline_id: str = ""

    @property
    def by_engine(self) -> bool:
        """True where the candidate's figures are those of an engine on a GPU, and not of a simulation."""
        return self.backend == "tensorrt"
