"""Stored artifacts as values: what is stored never changes, so that it is decoded once."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from trt_core.domain.codec import from_plain
from trt_core.protocols import ArtifactStore

Value = TypeVar("Value")
_MOST_RECORDS = 512
_MOST_FILES = 24  # a fusion map of 5,000 nodes takes some ten megabytes


class Decoded:
    """Records and JSON files of a store, each decoded at its first reading; the values are shared and frozen.

    The store is asked every time whether the artifact is still there: only the decoding is spared.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._records = _Latest(_MOST_RECORDS)
        self._files = _Latest(_MOST_FILES)

    def record(self, kind: type[Value], artifact_id: str) -> Value:
        """The record of an artifact; NotFound when it is gone."""
        plain = self._store.record(artifact_id)
        return self._records.get((kind, artifact_id), plain, lambda: from_plain(kind, plain))

    def file(self, kind: type[Value], artifact_id: str, filename: str) -> Value:
        """A JSON file of an artifact; NotFound when it is gone."""
        path: Path = self._store.path(artifact_id, filename)
        status = path.stat()
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        key = (kind, artifact_id, filename)
        return self._files.get(key, state, lambda: from_plain(kind, json.loads(path.read_bytes())))


class _Latest:
    """The values used last, each with the state that it was made from; used by all threads of the dashboard.

    Threads that come at once for a value that is not there wait for the first one, and share what it makes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[tuple[Any, ...], tuple[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._gates: dict[tuple[Any, ...], threading.RLock] = {}

    def get(self, key: tuple[Any, ...], state: object, make: Callable[[], Value]) -> Value:
        found = self._find(key, state)
        if found is not None:
            return cast("Value", found[0])
        with self._lock:
            gate = self._gates.setdefault(key, threading.RLock())
        with gate:
            found = self._find(key, state)
            if found is not None:
                return cast("Value", found[0])
            try:
                value = make()
                with self._lock:
                    self._held[key] = (state, value)
                    self._held.move_to_end(key)
                    while len(self._held) > self._most:
                        self._held.popitem(last=False)
            finally:
                with self._lock:
                    self._gates.pop(key, None)
        return value

    def _find(self, key: tuple[Any, ...], state: object) -> tuple[Any] | None:
        with self._lock:
            held = self._held.get(key)
            if held is None or not (held[0] is state or held[0] == state):
                return None
            self._held.move_to_end(key)
            return (held[1],)
