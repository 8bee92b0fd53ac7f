"""Kernel auto-tuning: which tactics a builder timed for which layer, and which it took."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class TacticTime:
    """One tactic as the builder timed it. `runner` is the implementation that offers it, `kernel` may be empty."""

    runner: str
    tactic: str
    time_ms: float
    kernel: str = ""


class TrialState(Enum):
    """What happened to one combination of tensor formats."""

    TIMED = "timed"
    REUSED = "not timed again"  # the timing cache, or an identical layer of the same build, knew it; or nothing to time
    IMPOSSIBLE = "no tactic"  # every runner was asked, none had a tactic


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One combination of formats that auto-tuning looked at.

    `layer` is empty where the log names none, which is so for whatever was not timed. `build` counts the builds of one
    log (calibration makes two), `block` the layers of a build in the order of tuning. `first_valid` is true where the
    builder took the first tactic that works and timed no other. `available` and `pruned` are -1 where not said.
    """

    build: int
    block: int
    is_reformat: bool
    formats: str
    layer: str = ""
    times: tuple[TacticTime, ...] = ()
    chosen: str = ""
    runner: str = ""
    seconds: float = 0.0
    tried: int = 0
    first_valid: bool = False
    available: int = -1
    pruned: int = -1

    @property
    def state(self) -> TrialState:
        """Whether it was timed, was known already, or cannot be run."""
        if self.times:
            return TrialState.TIMED
        return TrialState.IMPOSSIBLE if self.tried and not self.chosen else TrialState.REUSED


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Everything that a verbose log says of auto-tuning. Seconds are the builder's own."""

    trials: tuple[Trial, ...] = ()
    builds: int = 0
    selection_s: tuple[float, ...] = ()  # formats and tactics selection, of every build in the log
    engine_s: float | None = None
    cache_loaded: int = 0
    cache_stored: int = 0
    cache_refused: bool = False

    @cached_property
    def final_trials(self) -> tuple[Trial, ...]:
        """The trials of the log's last build: the one that made the engine."""
        return tuple(trial for trial in self.trials if trial.build == self.builds - 1)

    @property
    def timing_count(self) -> int:
        """Tactics timed, over all builds of the log."""
        return sum(len(trial.times) for trial in self.trials)
