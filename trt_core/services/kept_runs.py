"""Runs of one kind, kept twice: whole in a file, and as a head without their bulk, which lists read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import to_plain
from trt_core.services.context import Context


class _Named(Protocol):
    @property
    def id(self) -> str:
        """The artifact's id."""


Run = TypeVar("Run", bound=_Named)


class KeptRuns(Generic[Run]):
    """Stores and finds the runs of one kind; `head` says what of a run a list needs."""

    def __init__(
        self,
        context: Context,
        kind: ArtifactKind,
        value: type[Run],
        head: Callable[[Run], Run],
        *,
        filename: str = "run.json",
    ) -> None:
        self._context, self._kind, self._value, self._head = context, kind, value, head
        self._filename = filename

    def keep(self, run: Run, parents: Sequence[str]) -> Run:
        """Store a run under what it was made of; the run itself again."""
        files = {self._filename: json.dumps(to_plain(run), separators=(",", ":")).encode()}
        self._context.store.put(self._kind, run.id, self._head(run), files, parents=tuple(dict.fromkeys(parents)))
        return run

    def run(self, run_id: str) -> Run:
        """One run, whole."""
        return self._context.decoded.file(self._value, checked_id(run_id, self._kind), self._filename)

    def heads(self, model_id: str = "") -> list[Run]:
        """Runs without their bulk, newest first; with a model, only its own."""
        found = self._context.store.ids(self._kind, parent=model_id or None)
        return [self._context.decoded.record(self._value, run_id) for run_id in found]
