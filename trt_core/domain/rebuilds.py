"""One build request, built several times: what is asked for, and what the attempts measured."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.latency import LatencySummary
from trt_core.errors import InvalidInput

MOST_BUILDS = 50


@dataclass(frozen=True, kw_only=True)
class RebuildSpec:
    """Build the request of a build `times` more times, then measure every attempt in turn, `rounds` times over.

    With `fresh_timings` each build times its tactics anew: a timing cache would hand every build the same ones.
    """

    build_id: str
    times: int = 5
    fresh_timings: bool = True
    measure: bool = True
    iterations: int = 500
    rounds: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.times <= MOST_BUILDS or self.iterations < 2 or not 1 <= self.rounds <= 10:
            raise InvalidInput(
                f"{self.times} builds, {self.iterations} iterations, {self.rounds} rounds.",
                remedy=f"Ask for 1 to {MOST_BUILDS} builds, two iterations or more, and 1 to 10 rounds.",
            )


@dataclass(frozen=True, kw_only=True)
class AttemptLatency:
    """One attempt's latency, measured `rounds` times with the other attempts in between."""

    build_id: str
    rounds: tuple[LatencySummary, ...]


@dataclass(frozen=True, kw_only=True)
class OutputSpread:
    """One output over the attempts, on one input: the largest relative L2 and absolute distance from the first one."""

    name: str
    identical: int  # attempts that give the first one's bits, itself counted
    rel_l2: float
    max_abs: float


@dataclass(frozen=True, kw_only=True)
class RebuildRun:
    """What several attempts at one request measured. A part that could not be had says why in `not_run`."""

    id: str
    model_id: str
    build_id: str  # the first attempt
    created_at: float
    attempts: tuple[str, ...]
    stamp: str
    latency: tuple[AttemptLatency, ...] = ()
    outputs: tuple[OutputSpread, ...] = ()
    not_run: str = ""
