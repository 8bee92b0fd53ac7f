"""What every use case is given."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trt_core.backends.tensorrt import native as tensorrt
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.errors import DependencyMissing, UnsupportedRequest
from trt_core.jobs.queue import JobQueue
from trt_core.observing import EngineObserver
from trt_core.protocols import ArtifactStore, Compiler, JobLog, Meter, Runner
from trt_core.services.decoded import Decoded
from trt_core.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Context:
    """The world outside, as protocols."""

    settings: Settings
    store: ArtifactStore
    jobs: JobLog
    queue: JobQueue
    compilers: Mapping[str, Compiler]
    runner: Runner
    meters: Mapping[str, Meter]
    observers: Mapping[str, EngineObserver] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    @cached_property
    def decoded(self) -> Decoded:
        """The store's artifacts as values."""
        return Decoded(self.store)

    def compiler(self, name: str) -> Compiler:
        """The compiler of that name; DependencyMissing for TensorRT's without its package, else UnsupportedRequest."""
        if name not in self.compilers:
            if name == tensorrt.BACKEND:
                raise DependencyMissing(
                    f"{tensorrt.TITLE} is not installed; it needs an NVIDIA GPU.",
                    remedy=f"On the GPU host install it with: {tensorrt.PIP_LINE}",
                )
            raise UnsupportedRequest(
                f"There is no compiler {name!r} here.", remedy=f"Choose one of: {', '.join(self.compilers)}."
            )
        return self.compilers[name]


@dataclass(kw_only=True)
class Stages:
    """How long each stage of a use case took, in the order they ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside, added to what the stage has already."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - begin)

    def add(self, name: str, seconds: float) -> None:
        """Add to a stage what was timed elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def listed(self) -> tuple[tuple[str, float], ...]:
        """(stage, seconds) in order."""
        return tuple(self.seconds.items())


def content_id(kind: ArtifactKind, content: Any) -> str:
    """The id of what these values decide: the first 12 hexadecimal digits of the sha256 of their canonical JSON."""
    text = json.dumps(to_plain(content), sort_keys=True, separators=(",", ":"))
    return f"{kind.value}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
