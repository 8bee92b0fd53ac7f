"""Immutable folders under one workspace: written aside, then renamed into place."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trt_core.domain.artifacts import Artifact, ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.errors import ArtifactCorrupt, NotFound, QuotaExceeded
from trt_core.hashing import file_sha256, write_hashed

_MANIFEST = "manifest.json"
_RESERVE_BYTES = 256 << 20  # never fill a disk to the brim: the job log and the browser need room, too


class FolderStore:
    """Artifacts in `root/artifacts/<id>/`, each with a manifest that holds its record, parents and hashes.

    Manifests never change, so they are cached for the life of the process; a listing costs one directory scan.
    `scratch` names the temporary folders, so that those of a dead job can be told apart and removed.
    """

    def __init__(
        self, root: Path, *, quota_bytes: int | None = None, scratch: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = root / "artifacts"
        self._aside = root / "tmp"
        self._quota_bytes = quota_bytes
        self._scratch = scratch or f"p{os.getpid()}"
        self._clock = clock
        self._manifests: dict[str, dict[str, Any]] = {}
        for folder in (self._folder, self._aside):
            folder.mkdir(parents=True, exist_ok=True)

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
        computed already. Raises QuotaExceeded when the workspace's quota or
        the disk is full; nothing is left behind then.
        """
        checked_id(artifact_id, kind)
        if self.has(artifact_id):
            return self.artifact(artifact_id)
        self.check_room(sum(_size(content) for content in files.values()))
        folder = self.scratch_folder()
        try:
            known = hashes or {}
            sums = {name: _write(folder, name, content, known.get(name), move=move) for name, content in files.items()}
            size = sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file())
            manifest = Artifact(
                id=artifact_id,
                kind=kind,
                created_at=self._clock(),
                parents=tuple(parents),
                files=sums,
                size_bytes=size,
            )
            text = json.dumps({"artifact": to_plain(manifest), "record": to_plain(record)}, separators=(",", ":"))
            (folder / _MANIFEST).write_text(text)
            self._rename_into_place(folder, artifact_id)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise QuotaExceeded(
                    f"The disk is full: {error}.", remedy="Delete models or runs, then retry."
                ) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self.artifact(artifact_id)

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
        for entry in os.scandir(self._folder):
            if entry.name.startswith(prefix):
                manifest = self._manifest_or_none(entry.name)
                if manifest and (parent is None or parent in manifest["artifact"]["parents"]):
                    found.append((manifest["artifact"]["created_at"], entry.name))
        return [name for _, name in sorted(found, reverse=True)]

    def descendants(self, artifact_id: str) -> list[str]:
        """Ids of everything that has this one among its ancestors."""
        manifests = [self._manifest_or_none(entry.name) for entry in os.scandir(self._folder)]
        found = {artifact_id}
        grew = True
        while grew:
            grew = False
            for manifest in manifests:
                own = manifest["artifact"]["id"] if manifest else artifact_id
                if manifest and own not in found and found.intersection(manifest["artifact"]["parents"]):
                    found.add(own)
                    grew = True
        return sorted(found - {artifact_id})

    def delete(self, artifact_id: str) -> int:
        """Delete with all that descends from it; the bytes freed."""
        freed = 0
        self.artifact(artifact_id)
        for name in [*self.descendants(artifact_id), artifact_id]:
            freed += self.artifact(name).size_bytes
            aside = self._aside / f"{self._scratch}-gone-{uuid.uuid4().hex[:8]}"
            (self._folder / name).rename(aside)
            self._manifests.pop(name, None)
            shutil.rmtree(aside, ignore_errors=True)
        return freed

    def used_bytes(self) -> int:
        """What the workspace's artifacts hold."""
        manifests = (self._manifest_or_none(entry.name) for entry in os.scandir(self._folder))
        return sum(int(manifest["artifact"]["size_bytes"]) for manifest in manifests if manifest)

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

    def _manifest(self, artifact_id: str) -> dict[str, Any]:
        manifest = self._manifest_or_none(checked_id(artifact_id))
        if manifest is None:
            raise NotFound(
                f"Nothing is stored under {artifact_id}.", remedy="It may have been deleted; see the list of runs."
            )
        return manifest

    def _manifest_or_none(self, artifact_id: str) -> dict[str, Any] | None:
        path = self._folder / artifact_id / _MANIFEST
        if artifact_id in self._manifests:
            # Another process may have deleted it: the cache may save the parsing, never the look.
            return self._manifests[artifact_id] if path.exists() else None
        try:
            manifest: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise ArtifactCorrupt(
                f"The manifest of {artifact_id} cannot be read.", remedy="Delete its folder."
            ) from error
        self._manifests[artifact_id] = manifest
        return manifest


def _size(content: Path | bytes | memoryview) -> int:
    return content.stat().st_size if isinstance(content, Path) else memoryview(content).nbytes


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
