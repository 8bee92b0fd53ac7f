"""Immutable folders under one workspace: written aside, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trt_core.domain.artifacts import Artifact, ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.errors import ArtifactCorrupt, NotFound, QuotaExceeded
from trt_core.hashing import file_sha256, write_hashed
from trt_core.store.sizes import content_bytes, disk_bytes

_MANIFEST = "manifest.json"
_LEFT_BEHIND_S = 24 * 3600.0
_Identity = tuple[int, int, int]  # inode, time of change in ns, bytes
_RESERVE_BYTES = 256 << 20  # never fill a disk to the brim: the job log and the browser need room, too


class FolderStore:
    """Artifacts in `root/artifacts/<id>/`, each with a manifest that holds its record, parents and hashes.

    A manifest never changes while its artifact lives, so it is cached by the identity of its file; a listing costs one
    directory scan, and leaves out what cannot be read.
    `scratch` names the temporary folders, so that those of a dead job can be told apart and removed. `beside` are files
    and folders of the workspace that are no artifacts and count against its quota as well: job logs, caches.
    """

    def __init__(
        self,
        root: Path,
        *,
        quota_bytes: int | None = None,
        scratch: str = "",
        beside: Sequence[Path] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = root / "artifacts"
        self._aside = root / "tmp"
        self._quota_bytes = quota_bytes
        self._beside = tuple(beside)
        self._scratch = scratch or f"p{os.getpid()}"
        self._clock = clock
        self._manifests: dict[str, tuple[_Identity, dict[str, Any]]] = {}
        for folder in (self._folder, self._aside):
            folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what killed dashboards and command lines left; jobs' own folders go when the job is found dead."""
        for folder in self._aside.glob("p*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _LEFT_BEHIND_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def scratch_folder(self) -> Path:
        """A fresh folder on the same file system, for what is still being made; the caller removes or moves it."""
        folder = self._aside / f"{self._scratch}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        return folder

    def clear_scratch(self, scratch: str) -> None:
        """Remove what a dead process left behind."""
        for folder in self._aside.glob(f"{scratch}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def put(
        self,
        kind: ArtifactKind,
        artifact_id: str,
        record: object,
        files: Mapping[str, Path | bytes | memoryview],
        *,
        parents: Sequence[str] = (),
        move: bool = False,
        hashes: Mapping[str, str] | None = None,
    ) -> Artifact:
        """Store files and their record under an id; an id that is there already is returned as it is.

        `move` lets the store take the files over (a rename, no copy); `hashes` are sha256 sums that the caller has
        computed already. Raises QuotaExceeded when the workspace's quota or the disk is full, NotFound when a parent
        was deleted meanwhile; nothing is left behind then.
        """
        checked_id(artifact_id, kind)
        if self.has(artifact_id):
            return self.artifact(artifact_id)
        self.check_room(sum(content_bytes(content) for content in files.values()))
        folder = self.scratch_folder()
        try:
            known = hashes or {}
            sums = {name: _write(folder, name, content, known.get(name), move=move) for name, content in files.items()}
            created = self._clock()
            artifact = Artifact(id=artifact_id, kind=kind, created_at=created, parents=tuple(parents), files=sums)
            _write_manifest(folder, artifact, record)
            self._rename_into_place(folder, artifact_id)
        except OSError as error:
            full = _disk_full(error)
            if full is None:
                raise
            raise full from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._check_parents(artifact_id, parents)
        return self.artifact(artifact_id)

    def _check_parents(self, artifact_id: str, parents: Sequence[str]) -> None:
        # After the rename: a deletion that did not see this child has taken its parent away before.
        gone = [name for name in parents if not self.has(name)]
        if gone:
            with contextlib.suppress(NotFound):
                self.delete(artifact_id)
            raise NotFound(
                f"{gone[0]} was deleted while {artifact_id} was made of it.", remedy="Bring it in again, then retry."
            )

    def _rename_into_place(self, folder: Path, artifact_id: str) -> None:
        try:
            folder.rename(self._folder / artifact_id)
        except OSError as error:
            # Somebody else stored the same content first: theirs is as good as ours.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def has(self, artifact_id: str) -> bool:
        """True when it is there."""
        return (self._folder / checked_id(artifact_id) / _MANIFEST).is_file()

    def path(self, artifact_id: str, filename: str) -> Path:
        """A file of an artifact, which its manifest must list."""
        if filename not in self.artifact(artifact_id).files:
            raise NotFound(f"{artifact_id} has no file {filename!r}.", remedy="Run the step that makes it again.")
        return self._folder / artifact_id / filename

    def artifact(self, artifact_id: str) -> Artifact:
        """The manifest; NotFound when there is none."""
        return from_plain(Artifact, self._manifest(artifact_id)["artifact"])

    def record(self, artifact_id: str) -> dict[str, Any]:
        """The plain record that was put with it."""
        record: dict[str, Any] = self._manifest(artifact_id)["record"]
        return record

    def ids(self, kind: ArtifactKind, *, parent: str | None = None) -> list[str]:
        """Ids of that kind, newest first; with `parent`, only its direct descendants."""
        prefix = f"{kind.value}-"
        found = []
        for name, manifest in self._readable(prefix):
            if parent is None or parent in manifest["artifact"]["parents"]:
                found.append((manifest["artifact"]["created_at"], name))
        return [name for _, name in sorted(found, reverse=True)]

    def descendants(self, artifact_id: str) -> list[str]:
        """Ids of everything that has this one among its ancestors."""
        parents = {name: manifest["artifact"]["parents"] for name, manifest in self._readable()}
        found = {artifact_id}
        grew = True
        while grew:
            more = {name for name, above in parents.items() if name not in found and found.intersection(above)}
            found |= more
            grew = bool(more)
        return sorted(found - {artifact_id})

    def delete(self, artifact_id: str) -> int:
        """Delete with all that descends from it, one that cannot be read as well; the bytes freed."""
        if not self.has(artifact_id):
            raise _missing(artifact_id)
        freed = sum(self._remove(name) for name in (*self.descendants(artifact_id), artifact_id))
        # What was put meanwhile, before its parent was gone, was not in the first list.
        return freed + sum(self._remove(name) for name in self.descendants(artifact_id))

    def _remove(self, artifact_id: str) -> int:
        """Take one artifact away, whole; 0 bytes where another process was first."""
        aside = self._aside / f"{self._scratch}-gone-{uuid.uuid4().hex[:8]}"
        try:
            (self._folder / artifact_id).rename(aside)
        except FileNotFoundError:
            return 0
        self._manifests.pop(artifact_id, None)
        size = disk_bytes(aside, without=_MANIFEST)
        shutil.rmtree(aside, ignore_errors=True)
        return size

    def used_bytes(self) -> int:
        """What the workspace's artifacts hold, and what lies beside them."""
        artifacts = sum(int(manifest["artifact"]["size_bytes"]) for _, manifest in self._readable())
        return artifacts + sum(disk_bytes(path) for path in self._beside)

    def verify(self, artifact_id: str) -> None:
        """Raise ArtifactCorrupt when a file's bytes differ from its hash."""
        for name, expected in self.artifact(artifact_id).files.items():
            if file_sha256(self._folder / artifact_id / name) != expected:
                raise ArtifactCorrupt(
                    f"{name} of {artifact_id} is not what was stored.", remedy="Delete it and run the step again."
                )

    def check_room(self, incoming: int) -> None:
        """Raise QuotaExceeded when that many bytes more do not fit."""
        used = self.used_bytes()
        if self._quota_bytes is not None and used + incoming > self._quota_bytes:
            raise QuotaExceeded(
                f"The workspace holds {used >> 20} of {self._quota_bytes >> 20} MiB; {incoming >> 20} more do not fit.",
                remedy="Delete models or runs, or raise ENGINESCOPE_QUOTA_MB.",
            )
        free = shutil.disk_usage(self._folder).free
        if free < incoming + _RESERVE_BYTES:
            raise QuotaExceeded(
                f"The disk has {free >> 20} MiB left; {incoming >> 20} do not fit beside a reserve of 256.",
                remedy="Free disk space, then retry.",
            )

    def _readable(self, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and manifests of all that can be read: one damaged folder must not take the workspace with it."""
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        for name in names:
            with contextlib.suppress(ArtifactCorrupt):
                manifest = self._manifest_or_none(name)
                if manifest is not None:
                    yield name, manifest

    def _manifest(self, artifact_id: str) -> dict[str, Any]:
        manifest = self._manifest_or_none(checked_id(artifact_id))
        if manifest is None:
            raise _missing(artifact_id)
        return manifest

    def _manifest_or_none(self, artifact_id: str) -> dict[str, Any] | None:
        path = self._folder / artifact_id / _MANIFEST
        try:
            # Another process may have deleted it, and made it anew: the cache may save the parsing, never the look.
            status = path.stat()
            identity = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._manifests.get(artifact_id)
            if known is not None and known[0] == identity:
                return known[1]
            manifest = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise _corrupt(artifact_id) from error
        if not isinstance(manifest, dict) or not {"artifact", "record"} <= manifest.keys():
            raise _corrupt(artifact_id)
        self._manifests[artifact_id] = (identity, manifest)
        return manifest


def _write_manifest(folder: Path, artifact: Artifact, record: object) -> None:
    manifest = {
        "artifact": to_plain(replace(artifact, size_bytes=disk_bytes(folder, without=_MANIFEST))),
        "record": to_plain(record),
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, separators=(",", ":")))


def _disk_full(error: OSError) -> QuotaExceeded | None:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return QuotaExceeded(f"The disk is full: {error}.", remedy="Delete models or runs, then retry.")


def _missing(artifact_id: str) -> NotFound:
    return NotFound(f"Nothing is stored under {artifact_id}.", remedy="It may have been deleted; see the list of runs.")


def _corrupt(artifact_id: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"The manifest of {artifact_id} cannot be read.", remedy="Delete it and make it again.")


def _write(folder: Path, name: str, content: Path | bytes | memoryview, known: str | None, *, move: bool) -> str:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"file name {name!r} leaves its folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        if move:
            content.rename(target)
        else:
            shutil.copyfile(content, target)
        return known or file_sha256(target)
    if known is None:
        return write_hashed(target, content)
    target.write_bytes(content)
    return known
