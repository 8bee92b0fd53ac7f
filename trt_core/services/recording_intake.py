"""Recordings brought in by a worker: the page hands the files over and shows what came of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from trt_core.domain.artifacts import ArtifactKind, checked_id
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.jobs import Job, JobKind, JobState, Progress
from trt_core.domain.recordings import IntakeSpec, Recording
from trt_core.errors import NotFound, UnreadableRecording
from trt_core.protocols import Reporter
from trt_core.services.context import Context
from trt_core.services.jobs import mentions
from trt_core.services.recordings import OnStep, Recordings

SAMPLES_DEVICE, SAMPLES_VERSION = "NVIDIA H200", "8.6.0"
_FRESH_S = 60.0  # files younger than this may be those of a job that is about to be queued
_STORY = ("r50_fp16", "r50_int8_calib")  # what is opened where nobody says which


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The record of handed-over files: their names, which are labels only, by the names that the store gave them."""

    names: dict[str, str]


class RecordingIntake:
    """Take recordings in without a browser waiting for it."""

    def __init__(self, context: Context, recordings: Recordings) -> None:
        self._context = context
        self._recordings = recordings

    def submit_files(self, files: Sequence[tuple[str, BinaryIO]], *, device: str = "", version: str = "") -> Job:
        """Keep uploaded files aside and queue their reading; the second file of one name is another engine's.

        Raises UnreadableRecording for more than an upload may hold.
        """
        from trt_core.backends.tensorrt.recording_files import told_apart

        room = self._context.settings.upload_mb << 20
        contents = {}
        names = told_apart([name for name, _ in files])
        for number, (name, (_, file)) in enumerate(zip(names, files, strict=True)):
            content = file.read(room + 1)
            room -= len(content)
            if room < 0:
                raise UnreadableRecording(
                    f"The files hold more than {self._context.settings.upload_mb} MiB.", remedy="Give fewer at once."
                )
            contents[f"file-{number:04d}"] = (name[:300], content)
        if not contents:
            raise UnreadableRecording("No file was handed over.", remedy="Choose the files of one engine or more.")
        kept = {key: name for key, (name, _) in contents.items()}
        held = {key: content for key, (_, content) in contents.items()}
        self._let_go_of_orphans()
        # Each hand-over is its own: a job lets its files go, while that of the same files again may still wait.
        intake = f"{ArtifactKind.INTAKE.value}-{uuid.uuid4().hex[:12]}"
        self._context.store.put(ArtifactKind.INTAKE, intake, _Names(names=kept), held)
        spec = IntakeSpec(intake_id=intake, device=device, version=version)
        return self._submit(spec, f"Take in {len(contents)} recorded files")

    def submit_samples(self, *, engine: str = "", against: str = "") -> Job:
        """Queue the recordings that come with the samples; `engine` and `against` are opened afterwards."""
        spec = IntakeSpec(device=SAMPLES_DEVICE, version=SAMPLES_VERSION, engine=engine, against=against)
        return self._submit(spec, "Take in the recordings of an H200")

    def _let_go_of_orphans(self) -> None:
        """Delete what was handed over for a job that ended before it began, or whose process died."""
        store, now = self._context.store, self._context.clock()
        active = self._context.jobs.jobs(states=(JobState.QUEUED, JobState.RUNNING), limit=1 << 31)
        for intake in store.ids(ArtifactKind.INTAKE):
            is_fresh = now - store.artifact(intake).created_at < _FRESH_S
            if not is_fresh and not any(mentions(job.request, {intake}) for job in active):
                store.delete(intake)

    def _submit(self, spec: IntakeSpec, title: str) -> Job:
        job = Job(id="", kind=JobKind.INTAKE, title=title, request={"spec": to_plain(spec)})
        return self._context.queue.submit(job)

    def perform(self, spec: IntakeSpec, reporter: Reporter) -> tuple[Recording, ...]:
        """Read the files in the calling process; those handed over are let go afterwards, whatever came of them."""

        def on_step(what: str, step: int, steps: int) -> None:
            reporter.check()
            reporter.progress(Progress(phase=what, fraction=max(step - 1, 0) / steps, step=step, steps=steps))

        if not spec.intake_id:
            folder = self._recordings.samples_folder()
            if folder is None:
                raise NotFound("The samples are not installed.", remedy="Copy the folder samples beside the program.")
            found = self._recordings.add_folder(folder, device=spec.device, version=spec.version, on_step=on_step)
            return tuple(found)
        try:
            return tuple(self._read(spec, on_step))
        finally:
            self._context.store.delete(spec.intake_id)

    def _read(self, spec: IntakeSpec, on_step: OnStep) -> list[Recording]:
        store, intake = self._context.store, checked_id(spec.intake_id, ArtifactKind.INTAKE)
        names = from_plain(_Names, store.record(intake)).names
        with ExitStack() as stack:
            files: dict[str, BinaryIO] = {
                str(name): stack.enter_context(store.path(intake, key).open("rb")) for key, name in names.items()
            }
            return self._recordings.add_files(files, device=spec.device, version=spec.version, on_step=on_step)

    def opened(self, spec: IntakeSpec, found: tuple[Recording, ...]) -> dict[str, str]:
        """Which engine is looked at after an intake, and beside which one."""
        by_name = {item.name: item.id for item in found}
        wished = (spec.engine, spec.against) if spec.engine else _STORY
        if wished[0] not in by_name:
            return {"engine": found[0].id, "against": ""}
        return {"engine": by_name[wished[0]], "against": by_name.get(wished[1], "")}
