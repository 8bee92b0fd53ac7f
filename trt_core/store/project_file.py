"""A project as one zip: artifacts with a list of hashes, checked before anything of it is kept."""

from __future__ import annotations

import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from trt_core.domain.artifacts import Artifact, ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.errors import InvalidInput, NotFound
from trt_core.protocols import ArtifactStore

FORMAT = "enginescope-project-1"
_LIST = "project.json"
_LIST_BYTES = 64 << 20
_MOMENT = (1980, 1, 1, 0, 0, 0)
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\\:]+")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


@dataclass(frozen=True, kw_only=True)
class Project:
    """What a project file lists: artifacts with their records, hashes of their files, and free facts by id."""

    model_id: str
    artifacts: tuple[Artifact, ...]
    records: Mapping[str, dict[str, Any]]
    facts: Mapping[str, Any]


def write_project(
    path: Path, store: ArtifactStore, model_id: str, ids: Sequence[str], facts: Mapping[str, Any]
) -> None:
    """Write these artifacts and a list with the sha256 of each file; the file appears whole or not at all."""
    listed: list[dict[str, Any]] = []
    aside = path.with_name(f"{path.name}.part")
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for artifact_id in ids:
                artifact = store.artifact(artifact_id)
                listed.append({"artifact": to_plain(artifact), "record": store.record(artifact_id)})
                for name in artifact.files:
                    entry = zipfile.ZipInfo(f"artifacts/{artifact_id}/{name}", _MOMENT)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    with (
                        store.path(artifact_id, name).open("rb") as source,
                        archive.open(entry, "w", force_zip64=True) as to,
                    ):
                        while block := source.read(1 << 20):
                            to.write(block)
            text = json.dumps(
                {"format": FORMAT, "model": model_id, "artifacts": listed, "facts": dict(facts)}, indent=1
            )
            archive.writestr(zipfile.ZipInfo(_LIST, _MOMENT), text)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read_project(path: Path, folder: Path, *, limit_bytes: int) -> Project:
    """Unpack a project into an empty folder, every byte checked against the list.

    Raises InvalidInput for an archive that is broken, too large, holds a link, a name that leaves the folder, a file
    that the list lacks or a listed file whose bytes differ.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            project = _listed(archive)
            wanted = {
                f"artifacts/{item.id}/{name}": digest
                for item in project.artifacts
                for name, digest in item.files.items()
            }
            _check_entries(archive, set(wanted) | {_LIST}, limit_bytes)
            for name, digest in wanted.items():
                _unpack(archive, name, digest, folder)
    except _BROKEN as error:
        raise InvalidInput(f"{path.name} is no readable project file: {error}.", remedy="Export it again.") from error
    return project


def _listed(archive: zipfile.ZipFile) -> Project:
    if _LIST not in archive.namelist():
        raise InvalidInput(f"There is no {_LIST} in the file.", remedy="Give a file that `export` wrote.")
    with archive.open(_LIST) as source:
        content = source.read(_LIST_BYTES + 1)
    if len(content) > _LIST_BYTES:
        raise InvalidInput(f"{_LIST} is larger than {_LIST_BYTES >> 20} MiB.", remedy="Export it again.")
    try:
        plain = json.loads(content)
        if plain["format"] != FORMAT:
            raise InvalidInput(
                f"The project is in the format {str(plain['format'])[:40]!r}.", remedy=f"This release reads {FORMAT}."
            )
        entries = [(from_plain(Artifact, item["artifact"]), dict(item["record"])) for item in plain["artifacts"]]
        ids = {artifact.id for artifact, _ in entries}
        for artifact, record in entries:
            _check_artifact(artifact, record, ids)
        model_id = checked_id(plain["model"])
        if len(ids) != len(entries) or model_id not in ids:
            raise InvalidInput("The list names an artifact twice, or lacks its model.", remedy="Export it again.")
        return Project(
            model_id=model_id,
            artifacts=tuple(artifact for artifact, _ in entries),
            records={artifact.id: record for artifact, record in entries},
            facts=dict(plain.get("facts", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, NotFound, RecursionError) as error:
        raise InvalidInput(f"{_LIST} does not list a project: {error}.", remedy="Export it again.") from error


def _check_artifact(artifact: Artifact, record: Mapping[str, Any], ids: set[str]) -> None:
    """An artifact whose id does not follow from its content would take the place of another."""
    if record.get("id") != artifact.id and not _is_point(artifact, record):
        raise InvalidInput(f"{artifact.id} has the record of another artifact.", remedy="Export it again.")
    if artifact.id[0] in "mn" and not str(record.get("sha256", "")).startswith(artifact.id[2:14]):
        raise InvalidInput(f"{artifact.id} is not named by its content.", remedy="Export it again.")
    if artifact.id[0] == "n" and artifact.files.get("data.npz") != record.get("sha256"):
        raise InvalidInput(f"{artifact.id} holds other data than its record says.", remedy="Export it again.")
    for parent in artifact.parents:
        if checked_id(parent) not in ids:
            raise InvalidInput(
                f"{artifact.id} descends from {parent}, which is not in the file.", remedy="Export anew."
            )
    for name, digest in artifact.files.items():
        parts = PurePosixPath(name).parts
        plain = _PLAIN.fullmatch(name) and not name.startswith("/") and ".." not in parts and name != "manifest.json"
        if not plain or PurePosixPath(name).as_posix() != name:
            raise InvalidInput(
                f"{artifact.id} lists the file {name[:80]!r}.", remedy="Names must be plain and relative."
            )
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InvalidInput(f"{name[:80]!r} of {artifact.id} has no sha256.", remedy="Export it again.")


def _is_point(artifact: Artifact, record: Mapping[str, Any]) -> bool:
    """A point of a sweep: its record has no id, its own goes on from that of the sweep, which is its one parent."""
    sweep_id, _, number = artifact.id.rpartition("-")
    return (
        artifact.kind is ArtifactKind.SWEEP
        and "id" not in record
        and artifact.parents == (sweep_id,)
        and number.isdecimal()
    )


def _check_entries(archive: zipfile.ZipFile, wanted: set[str], limit_bytes: int) -> None:
    seen: set[str] = set()
    for entry in archive.infolist():
        name = entry.orig_filename
        if name not in wanted or name in seen:
            raise InvalidInput(
                f"The file holds {name[:80]!r}, which its list does not, or twice.", remedy="Export anew."
            )
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG) or entry.flag_bits & 0x1:
            raise InvalidInput(f"{name[:80]!r} is a link, a device or encrypted.", remedy="Export it again.")
        seen.add(name)
    if missing := sorted(wanted - seen):
        raise InvalidInput(f"The file lacks {missing[0][:80]!r}.", remedy="Export it again.")
    declared = sum(entry.file_size for entry in archive.infolist())
    if declared > limit_bytes:
        raise InvalidInput(
            f"The project unpacks to {declared >> 20:,} MiB; {limit_bytes >> 20:,} are allowed.",
            remedy="Raise ENGINESCOPE_QUOTA_MB, or export less.",
        )


def _unpack(archive: zipfile.ZipFile, name: str, expected: str, folder: Path) -> None:
    target = folder.joinpath(*PurePosixPath(name).parts[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = sha256(), archive.getinfo(name).file_size
    with archive.open(name) as source, target.open("xb") as to:
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise InvalidInput(f"{name[:80]!r} unpacks to more than it declares.", remedy="Export it again.")
            digest.update(block)
            to.write(block)
    if digest.hexdigest() != expected:
        raise InvalidInput(f"The bytes of {name[:80]!r} are not those that were exported.", remedy="Export it again.")
