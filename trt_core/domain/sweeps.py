"""Sweeps: the same file measured over batch sizes, concurrent streams or input shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from trt_core.domain.latency import LatencyConditions, LatencySummary
from trt_core.domain.profile_axes import free_axes, usual_profile
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidInput

MOST_POINTS = 200
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One point before it is measured: a batch, or a shape for every input, and a number of streams."""

    batch: int
    streams: int
    shapes: Shapes = ()


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """What to sweep: every batch with every number of streams, or, where given, every set of shapes.

    `attempt` tells a repetition from the same sweep, which is answered from what is there.
    """

    subject_id: str
    batches: tuple[int, ...] = (1,)
    streams: tuple[int, ...] = (1,)
    shapes: tuple[Shapes, ...] = ()
    backend: str = "ort"
    warmup: int = 10
    iterations: int = 100
    threads: int = 0
    cuda_graph: bool = False
    transfers: bool = False  # copies to the device and back belong to every sample
    attempt: int = 1

    def __post_init__(self) -> None:
        if not self.batches or not self.streams or min(*self.batches, *self.streams) < 1:
            raise InvalidInput(
                f"Batches {self.batches}, streams {self.streams}.", remedy="Give at least one of each, all above zero."
            )
        if len(self.settings) > MOST_POINTS:
            raise InvalidInput(
                f"{len(self.settings)} points; a sweep has at most {MOST_POINTS}.", remedy="Give fewer values."
            )

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The points in the order in which they are measured: small ones first."""
        if self.shapes:
            return tuple(
                Setting(batch=next((dims[0] for _, dims in shapes if dims), 1), streams=streams, shapes=shapes)
                for shapes, streams in product(dict.fromkeys(self.shapes), sorted(set(self.streams)))
            )
        pairs = product(sorted(set(self.batches)), sorted(set(self.streams)))
        return tuple(Setting(batch=batch, streams=streams) for batch, streams in pairs)


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """One measured point. A point that could not be measured holds the reason in `error` and no summary."""

    setting: Setting
    summary: LatencySummary | None = None
    conditions: LatencyConditions | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SweepHead:
    """A sweep that was begun: its points are stored one by one beside it."""

    id: str
    model_id: str
    label: str
    created_at: float
    spec: SweepSpec


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep with the points that are finished, in the order of its settings."""

    head: SweepHead
    points: tuple[SweepPoint, ...]

    @property
    def is_complete(self) -> bool:
        """True when every point has been measured, or found impossible."""
        return len(self.points) == len(self.head.spec.settings)


def shapes_along(
    inputs: tuple[TensorSpec, ...], key: str, values: tuple[int, ...], *, profiles: Sequence[OptimizationProfile] = ()
) -> tuple[Shapes, ...]:
    """Shapes of every input with one open axis at each of the values, the others at their usual size.

    `key` is that of `free_axes`: a symbol, or `input[axis]`. `profiles` are those of an engine, whose usual sizes are
    taken; see `usual_profile`. Raises InvalidInput for another key.
    """
    known = [axis.key for axis in free_axes(inputs)]
    if key not in known:
        text = ", ".join(known) or "none"
        raise InvalidInput(f"The model has no open axis {key[:60]!r}.", remedy=f"Its open axes are: {text}.")
    wanted = (usual_profile(inputs, {key: value}, profiles) for value in values)
    return tuple(tuple((item.tensor, item.opt) for item in profile.ranges) for profile in wanted)
