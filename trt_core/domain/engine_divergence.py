"""Divergence inside an engine: what its inner tensors, its outputs and its cuts say, and when nothing may be said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from trt_core.domain.divergence import LayerDivergence, OutputDivergence, TensorError
from trt_core.domain.findings import Finding
from trt_core.errors import InvalidInput

# Noise a thousandth of the signal's power: a healthy FP16 network stays far above, INT8 with good ranges near it.
INTACT_DB = 30.0
MOST_DB = 150.0  # beyond what FP32 can reach


class Marking(Enum):
    """How an engine hands out inner tensors."""

    DEBUG = "debug tensors"  # TensorRT 10 and later: handed to a listener, the engine's outputs stay as they are
    OUTPUTS = "outputs"  # every version: inner tensors become outputs of the network


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One question of the observer check: did marking change it? None where the samples do not tell."""

    changed: bool | None
    sentence: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ObserverCheck:
    """The plain engine against the marked one.

    `latency_ratio` is the marked engine's median over the plain one's, with its interval at 95 %; `copies` are layers
    that only bring marked tensors into a readable format.
    """

    fusions: Observation
    output: Observation
    latency: Observation
    latency_ratio: float | None = None
    latency_ci95: tuple[float, float] | None = None
    copies: int = 0

    @property
    def concludes(self) -> bool:
        """True where inner tensors of the marked engine speak for the plain one."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nothing may be concluded about inner tensors; empty where something may."""
        return tuple(item.sentence for item in (self.fusions, self.output, self.latency) if item.changed)


@dataclass(frozen=True, kw_only=True)
class TensorGroup:
    """Inner tensors that are read from one marked engine; `size_bytes` at the usual shape."""

    tensors: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ObservedGroup:
    """One marked engine: what was read from it, what was refused and why, and its observer check.

    `check` is None, and `failed` says why, where the marked engine could not be built.
    """

    tensors: tuple[str, ...]
    size_bytes: int
    seconds: float
    marking: Marking
    refused: tuple[tuple[str, str], ...] = ()
    check: ObserverCheck | None = None
    failed: str = ""

    @property
    def concludes(self) -> bool:
        """True where its inner tensors may be believed."""
        return self.check is not None and self.check.concludes


class CutOutcome(Enum):
    """What a build with one cut says about the fault."""

    BEFORE = "before"  # the cut tensor is wrong already
    AFTER = "after"  # the cut tensor is right, the output is wrong
    GONE = "gone"  # with this cut, the output is right
    NO_BUILD = "no build"


@dataclass(frozen=True, kw_only=True)
class CutStep:
    """One build with an output at a cut, and what it showed; errors against the reference."""

    tensor: str
    position: int  # among the cuts, in topological order
    outcome: CutOutcome
    seconds: float
    cut_error: TensorError | None = None
    output_error: TensorError | None = None
    layers: int = 0
    reason: str = ""
    precisions: tuple[tuple[str, int], ...] = ()  # in which its layers run: an output may move them to another


@dataclass(frozen=True, kw_only=True)
class SegmentRead:
    """One more build, with outputs at every tensor between the last right cut and the first wrong one.

    `errors` are in the file's order; `reason` says why nothing was read.
    """

    seconds: float
    errors: tuple[tuple[str, TensorError], ...] = ()
    output_error: TensorError | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """A search for the first cut behind which the engine is wrong.

    The fault lies after `clean` ("": after the model's inputs) and at or before `faulty` ("": the outputs). `gone` are
    cuts with which it went away. `stopped` says why the search ended earlier than at neighbouring cuts. `first_wrong`
    is the first tensor below the floor in `segment`, where the fault was still there with it.
    """

    cuts: tuple[str, ...]
    steps: tuple[CutStep, ...]
    clean: str
    faulty: str
    between: tuple[str, ...] = ()  # nodes of the model between the two, in the file's order
    gone: tuple[str, ...] = ()
    stopped: str = ""
    segment: SegmentRead | None = None
    first_wrong: str = ""


class Blame(Enum):
    """What the four-way square blames."""

    NOTHING = "nothing"
    QUANTIZATION = "quantization"
    ENGINE = "engine"
    BOTH = "both"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class SquareCell:
    """One corner: a runtime in a precision, its worst output against ONNX Runtime in FP32; `absent` says why not."""

    runtime: str  # "ONNX Runtime", "TensorRT"
    precision: str  # "fp32", "int8" ...
    output: str = ""
    error: TensorError | None = None
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class FourWay:
    """{ONNX Runtime, TensorRT} x {FP32, low} on the same samples, and what it blames.

    `engine_gap` compares TensorRT with ONNX Runtime, both in low precision.
    """

    precision: str
    cells: tuple[SquareCell, ...]  # ONNX Runtime FP32, ONNX Runtime low, TensorRT FP32, TensorRT low
    blame: Blame
    sentence: str
    engine_gap: TensorError | None = None

    def cell(self, runtime: str, precision: str) -> SquareCell:
        """One corner."""
        return next(item for item in self.cells if (item.runtime, item.precision) == (runtime, precision))


@dataclass(frozen=True, kw_only=True)
class EngineDivergence:
    """One look into an engine. `layers` hold the inner tensors that were read, believed or not.

    `believed` are those of groups whose observer check concludes. `origin` are the believed layers where the loss
    begins. `opaque` is why no inner tensor can be read without changing the engine, where that is so.
    """

    id: str
    model_id: str
    build_id: str
    created_at: float
    precision: str
    backend_version: str
    device: str
    method: str
    intact_db: float
    samples: int
    batch: int
    outputs: tuple[OutputDivergence, ...]
    layers: tuple[LayerDivergence, ...] = ()
    believed: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    groups: tuple[ObservedGroup, ...] = ()
    bisection: Bisection | None = None
    square: FourWay | None = None
    opaque: str = ""
    data: str = ""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()

    @property
    def worst_output(self) -> tuple[str, TensorError] | None:
        """The output with the lowest SQNR."""
        pairs = [(item.name, error) for item in self.outputs for _, error in item.errors]
        return min(pairs, key=lambda pair: pair[1].sqnr_db, default=None)

    @property
    def is_intact(self) -> bool:
        """True where every output reaches `intact_db`."""
        worst = self.worst_output
        return worst is None or worst[1].sqnr_db >= self.intact_db


@dataclass(frozen=True, kw_only=True)
class InsideSpec:
    """A look into an engine that was built here.

    `tensors`: "borders" are those that the plain engine writes between layers, "all" every inner tensor. `search`:
    "groups" reads inner tensors, "bisect" cuts the engine, "auto" reads where that is possible and cuts where nothing
    could be concluded, "none" compares outputs only. At most `max_builds` engines are built on the way.
    """

    build_id: str
    data_id: str = ""
    samples: int = 16
    tensors: str = "borders"
    search: str = "auto"
    budget_mb: int = 512
    intact_db: float = INTACT_DB
    max_builds: int = 8
    square: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("Tensors", self.tensors, ("borders", "all")),
            ("Search", self.search, ("auto", "groups", "bisect", "none")),
        ):
            if value not in known:
                raise InvalidInput(f"{name} {value!r}.", remedy=f"Use {', '.join(known)}.")
        if not 0.0 <= self.intact_db <= MOST_DB:
            raise InvalidInput(
                f"An output is right from {self.intact_db} dB.", remedy=f"Give a figure from 0 to {MOST_DB:g}."
            )
        for name, count in (("samples", self.samples), ("MB", self.budget_mb), ("builds", self.max_builds)):
            if count < 1:
                raise InvalidInput(f"{count} {name}.", remedy="Ask for at least one.")
