"""Calibration caches of TensorRT's own calibration: brought in, looked at, taken out, given to a build."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trt_core.backends.tensorrt.calibration_cache import (
    MOST_BYTES,
    USABLE,
    CalibrationCache,
    cache_text,
    read_cache,
    release_text,
    usable_cache,
)
from trt_core.domain.artifacts import ArtifactKind, CacheRecord, checked_id
from trt_core.domain.findings import Finding, Severity
from trt_core.errors import InvalidData, NotFound
from trt_core.protocols import ArtifactStore
from trt_core.services.context import Context, content_id
from trt_core.services.library import Library
from trt_core.services.recordings import Recordings

_FILE = "calibration.cache"


@dataclass(frozen=True, kw_only=True)
class CacheView:
    """A cache as it is looked at: its text, and what it says."""

    title: str
    text: str
    cache: CalibrationCache


class CalibrationCaches:
    """The caches of a workspace: its own, those of builds, and those of recordings."""

    def __init__(self, context: Context, library: Library, recordings: Recordings) -> None:
        self._context = context
        self._library = library
        self._recordings = recordings

    def add(self, source: Path | BinaryIO, *, name: str, model_id: str) -> CacheRecord:
        """Bring a cache in for a model; the same again is the one that is there.

        Raises InvalidData for a file that is too large, no cache, of an algorithm that no build here uses, or without
        a single tensor of the model.
        """
        if isinstance(source, Path):
            if not source.is_file():
                raise NotFound(f"There is no file {source.name!r}.", remedy="Give the path of a calibration cache.")
            with source.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        else:
            content = source.read(MOST_BYTES + 1)
        return self.add_text(cache_text(content), name=name, model_id=model_id)

    def add_text(self, text: str, *, name: str, model_id: str) -> CacheRecord:
        """Keep a cache's text for a model; see `add`."""
        cache, model = usable_cache(text), self._library.model(model_id)
        named = [item.tensor for item in cache.ranges]
        known = self._known(named, model_id)
        if not known:
            raise InvalidData(
                f"The cache names {len(named)} tensors with a scale; {model.name!r} has none of them.",
                remedy="Give a cache that was made from this model, under the same tensor names.",
            )
        content = text.encode()
        sha256 = hashlib.sha256(content).hexdigest()
        cache_id = content_id(ArtifactKind.CACHE, {"model": model_id, "cache": sha256})
        record = CacheRecord(
            id=cache_id,
            model_id=model_id,
            sha256=sha256,
            name=name[:200],
            created_at=self._context.clock(),
            version=release_text(cache.version),
            method=USABLE[cache.algorithm],
            tensors=len(named) + len(cache.without_scale),
            without_scale=len(cache.without_scale),
            known=known,
            size_bytes=len(content),
            findings=_partly(known, named),
        )
        self._context.store.put(ArtifactKind.CACHE, cache_id, record, {_FILE: content}, parents=(model_id,))
        return self.record(cache_id)

    def _known(self, named: Sequence[str], model_id: str) -> int:
        graph = self._library.graph(model_id)
        tensors = {spec.name for spec in graph.inputs} | {name for node in graph.nodes for name in node.outputs}
        return sum(name in tensors for name in named)

    def caches(self, model_id: str = "") -> list[CacheRecord]:
        """The caches that were brought in, newest first; with a model, its own."""
        return [self.record(item) for item in self._context.store.ids(ArtifactKind.CACHE, parent=model_id or None)]

    def record(self, cache_id: str) -> CacheRecord:
        """One cache that was brought in."""
        return self._context.decoded.record(CacheRecord, checked_id(cache_id, ArtifactKind.CACHE))

    def text(self, owner_id: str) -> str:
        """The text of a cache, by its own id or that of the build or recording that has one; NotFound without."""
        kind = checked_id(owner_id)[0]
        if kind == ArtifactKind.CACHE.value:
            return self._context.store.path(owner_id, _FILE).read_text(encoding="utf-8")
        if kind == ArtifactKind.BUILD.value:
            path = cache_of_build(self._context.store, owner_id)
            if path is None:
                raise NotFound(f"{owner_id} was not calibrated by TensorRT.", remedy="Its ranges are in its variant.")
            return path.read_text(encoding="utf-8")
        if kind == ArtifactKind.RECORDING.value and (text := self._recordings.study(owner_id).calibration_cache):
            return text
        raise NotFound(f"{owner_id} has no calibration cache.", remedy="Name a cache, a calibrated build or recording.")

    def has(self, owner_id: str) -> bool:
        """True where `text` has an answer."""
        try:
            return bool(self.text(owner_id))
        except NotFound:
            return False

    def view(self, owner_id: str) -> CacheView:
        """A cache decoded; NotFound where there is none."""
        is_own = owner_id.startswith(ArtifactKind.CACHE.value)
        return decoded(self.record(owner_id).name if is_own else owner_id, self.text(owner_id))


def decoded(title: str, text: str) -> CacheView:
    """A cache's text as it is looked at; InvalidData for one that is none."""
    return CacheView(title=title, text=text, cache=read_cache(text))


def cache_of_build(store: ArtifactStore, build_id: str) -> Path | None:
    """The calibration cache of an engine that TensorRT calibrated itself; None for any other."""
    known = store.artifact(checked_id(build_id, ArtifactKind.BUILD)).files
    return store.path(build_id, _FILE) if _FILE in known else None


def _partly(known: int, named: Sequence[str]) -> tuple[Finding, ...]:
    if known == len(named):
        return ()
    return (
        Finding(
            rule="calibration-cache-partly-known",
            severity=Severity.NOTE,
            message=f"{known} of the {len(named)} tensors with a scale are tensors of the uploaded file.",
            remedy="The others may be names that TensorRT gave itself. A tensor without a scale stays out of INT8.",
        ),
    )
