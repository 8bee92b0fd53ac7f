"""The registry: what is known about every build, what people decided about it, and which builds may go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from trt_core.domain.artifacts import BuildRecord
from trt_core.errors import InvalidInput


class EngineState(Enum):
    """What people decided about an engine."""

    CANDIDATE = "candidate"
    APPROVED = "approved"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The facts about a build that may change. `imported` engines came in a project file from elsewhere."""

    state: EngineState = EngineState.CANDIDATE
    notes: str = ""
    imported: bool = False
    changed_at: float = 0.0

    def __post_init__(self) -> None:
        if len(self.notes) > 4000:
            raise InvalidInput(f"{len(self.notes):,} characters of notes.", remedy="Keep them within 4,000.")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One latency run or validation that belongs to a build or to the variant it was built from."""

    run_id: str
    text: str
    on_engine: bool  # False: of the variant, by another runtime


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One build with its parents, what was measured, and what was decided."""

    build: BuildRecord
    model_name: str
    model_sha256: str
    variant_sha256: str
    data_sha256: str
    timing_cache: str
    tag: str
    decision: Decision
    plan_sha256: str = ""  # of the precision, what the rest runs in, and the nodes kept higher
    latency: tuple[Measurement, ...] = ()
    accuracy: tuple[Measurement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    """Which builds may go: retired ones, and candidates that are neither recent nor among the newest of their model."""

    keep_newest: int = 3
    older_than_days: float = 30.0
    retired: bool = True

    def __post_init__(self) -> None:
        if self.keep_newest < 0 or self.older_than_days < 0:
            raise InvalidInput(
                f"Keep the newest {self.keep_newest}, older than {self.older_than_days} days.",
                remedy="Give numbers from 0 on.",
            )


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """One build that the rules let go, why, and the bytes that it and what was made from it hold."""

    build_id: str
    tag: str
    reason: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a project file brought: new artifacts, and those that were here already."""

    model_id: str
    added: tuple[str, ...]
    present: tuple[str, ...]
