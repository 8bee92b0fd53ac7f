"""Recordings of engines from other machines: brought in, listed, opened."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.recordings import EngineStudy, Recording
from trt_core.errors import UnreadableRecording
from trt_core.services.context import Context, content_id
from trt_core.services.recorded_study import study_of

if TYPE_CHECKING:
    from trt_core.backends.tensorrt.recording_files import Raw

_CAME_LATER = ("calibration_cache", "run")  # fields that are left out where they are empty: ids stay what they were
_ENDINGS = (".json", ".json.gz", ".log", ".log.gz", ".txt", ".calib", ".calib.gz")

_MOST_FOLDERS, _LONGEST_NAME = 200, 200
_IN_NO_ID = ("scratch", "largest_batch")  # read out of the same files as all the rest
OnStep = Callable[[str, int, int], None]


def _unheard(what: str, step: int, steps: int) -> None:
    """Nobody listens."""


class Recordings:
    """What other machines recorded of their engines."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def add_folder(
        self,
        folder: Path,
        *,
        device: str = "",
        version: str = "",
        on_step: OnStep = _unheard,
    ) -> list[Recording]:
        """Take every recording of a folder and of those in it, links left out; UnreadableRecording when there is none.

        Files belong together within one folder only. Engines of several folders that bear one name, as TREx's do, are
        told apart by their folders.
        """
        if not folder.is_dir():
            raise UnreadableRecording(
                f"{str(folder)!r} is not a folder.", remedy="Give the folder that holds the recordings."
            )
        groups = _by_folder(folder)
        read = []
        for place, paths in groups:
            on_step(f"Read {len(paths)} files", 0, 1)
            read += [(place, raw) for raw in _read(paths, required=len(groups) == 1)]
        if not read:
            raise UnreadableRecording(
                f"None of the files in {str(folder)!r} describes an engine.", remedy="Give the folder of an export."
            )
        names = Counter(raw.name for _, raw in read)
        for place, raw in read:
            if names[raw.name] > 1 and place:
                raw.name = f"{raw.name} ({place})"[:_LONGEST_NAME]
        return self._keep_all([raw for _, raw in read], device, version, on_step)

    def add_files(
        self,
        files: Mapping[str, BinaryIO],
        *,
        device: str = "",
        version: str = "",
        on_step: OnStep = _unheard,
    ) -> list[Recording]:
        """Take recordings out of open files; the same contents again are the recording that is there already.

        `on_step` hears what is done, and the how-manieth of how many steps it is; what it raises ends the work.
        """
        from trt_core.backends.tensorrt.recording_files import read_recordings

        on_step(f"Read {len(files)} files", 0, 1)
        return self._keep_all(read_recordings(files), device, version, on_step)

    def _keep_all(self, raws: Sequence[Raw], device: str, version: str, on_step: OnStep) -> list[Recording]:
        found = []
        for number, raw in enumerate(raws, start=1):
            on_step(f"Take in {raw.name[:80]}", number, len(raws))
            found.append(self._keep(raw, device[:100], version[:40]))
        return found

    def samples_folder(self) -> Path | None:
        """Recordings that come with the samples; None where they were not installed."""
        folder = self._context.settings.samples / "recordings"
        return folder if folder.is_dir() else None

    def recordings(self) -> list[Recording]:
        """All recordings by project and name."""
        found = [self.recording(item) for item in self._context.store.ids(ArtifactKind.RECORDING)]
        return sorted(found, key=lambda item: (item.project, item.name))

    def recording(self, recording_id: str) -> Recording:
        """One recording."""
        return from_plain(Recording, self._context.store.record(checked_id(recording_id, ArtifactKind.RECORDING)))

    def study(self, recording_id: str) -> EngineStudy:
        """Everything of one recording."""
        head = self.recording(recording_id)
        packed = self._context.store.path(recording_id, "study.json.gz").read_bytes()
        return from_plain(EngineStudy, json.loads(gzip.decompress(packed)) | {"id": head.id})

    def delete(self, recording_id: str) -> int:
        """Remove one recording; the bytes freed."""
        return self._context.store.delete(checked_id(recording_id, ArtifactKind.RECORDING))

    def _keep(self, raw: Raw, device: str, version: str) -> Recording:
        study = study_of(raw, device=device, version=version)
        plain = to_plain(study)
        for name in _CAME_LATER:
            if not plain.get(name):
                plain.pop(name, None)
        content = json.dumps(plain, separators=(",", ":")).encode()
        named = json.dumps({k: v for k, v in plain.items() if k not in _IN_NO_ID}, separators=(",", ":")).encode()
        recording_id = content_id(ArtifactKind.RECORDING, {"study": hashlib.sha256(named).hexdigest()})
        head = _head(recording_id, raw, study, version, self._context.clock())
        files: dict[str, Path | bytes | memoryview] = {"study.json.gz": gzip.compress(content, 3, mtime=0)}
        self._context.store.put(ArtifactKind.RECORDING, recording_id, head, files)
        return self.recording(recording_id)


def _by_folder(top: Path) -> list[tuple[str, list[Path]]]:
    """(folder below the top, its files that may tell of an engine), the top first; hidden ones and links left out."""
    found = []
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(place, name) for name in sorted(names) if name.lower().endswith(_ENDINGS)]
        paths = [path for path in paths if path.is_file() and not path.is_symlink()]
        if paths:
            below = Path(place).relative_to(top).as_posix()
            found.append(("" if below == "." else below, paths))
        if len(found) > _MOST_FOLDERS:
            raise UnreadableRecording(f"More than {_MOST_FOLDERS} folders hold files.", remedy="Give a folder in it.")
    return found or [("", [])]


def _read(paths: Sequence[Path], *, required: bool) -> tuple[Raw, ...]:
    from trt_core.backends.tensorrt.recording_files import read_recordings

    with ExitStack() as open_files:
        files: dict[str, BinaryIO] = {path.name: open_files.enter_context(path.open("rb")) for path in paths}
        return read_recordings(files, required=required)


def _head(recording_id: str, raw: Raw, study: EngineStudy, version: str, now: float) -> Recording:
    return Recording(
        id=recording_id,
        project=study.project,
        name=study.title,
        created_at=now,
        source=raw.source or "files",
        asked=study.asked,
        device=study.device,
        version=version,
        batch=study.batch,
        layer_count=len(study.record.working_layers),
        precisions=tuple(study.record.precisions.items()),
        p50_ms=study.total_ms,
        graph_p50_ms=study.graph_ms,
        enqueue_ms=study.enqueue_ms,
        build_s=raw.numbers.get("build_s"),
        device_bytes=study.device_bytes,
        sample_count=len(study.samples_ms),
        timing_count=study.tuning.timing_count if study.tuning else 0,
        has_layer_times=study.has_times,
    )
