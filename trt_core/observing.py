"""What looking into engines wants from a library: engines whose inner tensors can be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trt_core.domain.engine_divergence import Marking
from trt_core.protocols import CompileInput, CompileOutput, Feeds, Reporter, Session


class ObservedSession(Session, Protocol):
    """A loaded engine; the inner tensors that it was marked for come after its own outputs."""

    def times_ms(self, feeds: Feeds, runs: int) -> tuple[float, ...]:
        """Time of the engine's work for each of so many inferences, inner tensors not brought back."""

    def layer_times_ms(self, feeds: Feeds) -> Mapping[str, float]:
        """Mean time of each engine layer by its name, in a run of its own: good for shares, not for times."""

    def close(self) -> None:
        """Give all memory back."""


@dataclass(frozen=True, kw_only=True)
class MarkedOutput:
    """A marked engine: `tensors` can be read from it, `refused` are the others with the reason of each."""

    output: CompileOutput
    tensors: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()


class EngineObserver(Protocol):
    """A library that builds engines whose inner tensors can be read. Its work belongs into a worker process."""

    name: str

    def why_not(self) -> str:
        """Why nothing can be looked into here, with what helps; empty where it can."""

    def markings(self) -> tuple[Marking, ...]:
        """Ways in which this version hands inner tensors out, the least intrusive one first."""

    def build(
        self,
        request: CompileInput,
        tensors: Sequence[str],
        marking: Marking,
        *,
        halves: Collection[str] = (),
        reporter: Reporter,
    ) -> MarkedOutput:
        """Build with marked tensors; raises what `Compiler.build` does. A name that cannot be marked is refused.

        `halves` are tensors that the plain engine writes in FP16: a library that chooses types is told to hand them out
        so, beside those that the file holds in FP16; asked for FP32, it may compute in FP32 what leads there.
        """

    def load(self, engine: Path, *, tensors: Sequence[str] = (), marking: Marking = Marking.OUTPUTS) -> ObservedSession:
        """Load an engine that this library built, marked for `tensors` in that way."""
