"""A bundle for production: asked for, and made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trt_core.domain.findings import Finding
from trt_core.domain.passport import LoadAnswer, Passport, Target
from trt_core.errors import InvalidInput

DESTINATIONS = ("triton", "compose", "kubernetes", "commands")


@dataclass(frozen=True, kw_only=True)
class DeployWish:
    """What to make of a build. Empty texts leave the choice to us; `max_batch` None takes the profiles' largest."""

    build_id: str
    to: str = "triton"
    name: str = ""  # the model's name when it is served
    triton: str = ""  # release, such as 24.12
    tensorrt: str = ""
    gpu: str = ""
    max_batch: int | None = None
    instances: int = 1  # of the model on each GPU
    gpus: int = 1
    queue_delay_us: int = 100
    ensemble: bool = False  # add pre- and post-processing models as stubs

    def __post_init__(self) -> None:
        if self.to not in DESTINATIONS:
            raise InvalidInput(f"There is no destination {self.to!r}.", remedy=f"Use {', '.join(DESTINATIONS)}.")
        for name, value, low in (("instances", self.instances, 1), ("GPUs", self.gpus, 1)):
            if not low <= value <= 64:
                raise InvalidInput(f"{value} {name}.", remedy=f"Ask for {low} to 64.")
        if self.max_batch is not None and self.max_batch < 0:
            raise InvalidInput(f"Largest batch {self.max_batch}.", remedy="Give 0 for no batching, or a size.")
        if not 0 <= self.queue_delay_us <= 60_000_000:
            raise InvalidInput(f"Queue delay {self.queue_delay_us} µs.", remedy="Give 0 to 60,000,000.")

    @property
    def names_a_target(self) -> bool:
        """True where the user said where it has to load."""
        return bool(self.triton or self.tensorrt or self.gpu)


@dataclass(frozen=True, kw_only=True)
class GeneratedFile:
    """One file of a bundle: its relative path, and its bytes or the stored file that has them."""

    path: str
    content: bytes = b""
    source: Path | None = None
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files for one destination, and what is known about where they work."""

    files: tuple[GeneratedFile, ...]
    passport: Passport
    target: Target
    answer: LoadAnswer
    tag: str
    findings: tuple[Finding, ...] = ()
