"""Models and sample data: brought in, described, deleted."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from trt_core.domain.artifacts import ArtifactKind, DataRecord, ModelRecord, checked_id
from trt_core.domain.codec import to_plain
from trt_core.domain.graph import Graph
from trt_core.domain.images import ImageSettings
from trt_core.domain.jobs import Job, JobState
from trt_core.errors import InvalidData, InvalidInput, NotFound
from trt_core.hashing import file_sha256
from trt_core.jobs.pruning import job_files
from trt_core.services.context import Context, Stages
from trt_core.services.jobs import mentions
from trt_core.services.pictures import PictureNames, staged_pictures, written_pictures
from trt_core.services.samples import Sample, read_catalog
from trt_core.store.sizes import disk_bytes

if TYPE_CHECKING:
    from trt_core.onnx_graph.intake import StagedModel
    from trt_core.onnx_graph.read import ModelFacts


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the workspace holds; `job_bytes` are the part of it that job logs and their list take."""

    used_bytes: int
    job_bytes: int
    quota_bytes: int
    disk_free_bytes: int


def _check_same(artifact_id: str, stored: str, given: str) -> None:
    """Twelve digits of a hash name an artifact; a file made to share them must not pass for the one that is there."""
    if stored != given:
        raise InvalidInput(
            f"Another file is stored under {artifact_id}, whose sha256 begins alike ({stored[:16]}, {given[:16]}).",
            remedy="Delete the stored one first.",
        )


class Library:
    """What has been brought into the workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # Models ------------------------------------------------------------------------------------------------------

    def add_upload(self, files: Mapping[str, BinaryIO | Path], *, stages: Stages | None = None) -> ModelRecord:
        """Bring in an `.onnx`, an `.onnx` with its data files, or a `.zip`, by file name."""
        from trt_core.onnx_graph.intake import IntakeLimits, stage_upload

        limits = IntakeLimits(total_bytes=self._context.settings.upload_mb << 20)
        return self._add(lambda folder: stage_upload(files, folder, limits=limits), stages=stages or Stages())

    def add_file(self, path: Path, *, trusted: bool = False, stages: Stages | None = None) -> ModelRecord:
        """Bring in a file of this machine: any when `trusted` (the command line), else one under a configured root."""
        from trt_core.onnx_graph.intake import IntakeLimits, stage_file

        roots = (path.resolve().parent,) if trusted else self._context.settings.model_roots
        limits = IntakeLimits(total_bytes=self._context.settings.quota_mb << 20)
        # Exporters call every file model.onnx: then the folder tells one from another.
        name = path.resolve().parent.name if path.stem.lower() == "model" else ""
        return self._add(
            lambda folder: stage_file(path, roots, folder, limits=limits), stages=stages or Stages(), name=name
        )

    def server_files(self, *, most: int = 500) -> tuple[Path, ...]:
        """`.onnx` files under the configured folders, sorted, at most that many; links are not followed."""
        found: list[Path] = []
        for root in self._context.settings.model_roots:
            for folder, folders, names in os.walk(root):
                folders.sort()
                found += [Path(folder, name) for name in sorted(names) if name.lower().endswith((".onnx", ".zip"))]
                if len(found) >= most:
                    return tuple(found[:most])
        return tuple(found)

    def add_sample(self, key: str) -> ModelRecord:
        """Bring in a sample with its data; the model is named by the sample's key."""
        from trt_core.onnx_graph.intake import IntakeLimits, stage_file

        sample = next((item for item in self.samples() if item.key == key), None)
        if sample is None:
            raise NotFound(f"There is no sample {key!r}.", remedy="See the samples gallery.")
        limits = IntakeLimits(total_bytes=self._context.settings.quota_mb << 20)
        roots = (sample.model.resolve().parent,)
        record = self._add(
            lambda folder: stage_file(sample.model, roots, folder, limits=limits), stages=Stages(), name=key, sample=key
        )
        for path in (sample.calibration, sample.test):
            if path is not None:
                self.add_data(path, name=f"{path.parent.name}/{path.name}", model_id=record.id)
        if sample.labels is not None:
            self.add_data(sample.labels, name=f"{sample.labels.parent.name}/{sample.labels.name}")
        return record

    def samples(self) -> tuple[Sample, ...]:
        """The samples that come with the project."""
        return read_catalog(self._context.settings.samples)

    def models(self) -> list[ModelRecord]:
        """All models, newest first."""
        store = self._context.store
        return [self.model(model_id) for model_id in store.ids(ArtifactKind.MODEL)]

    def model(self, model_id: str) -> ModelRecord:
        """One model."""
        return self._context.decoded.record(ModelRecord, checked_id(model_id, ArtifactKind.MODEL))

    def model_path(self, model_id: str) -> Path:
        """Its file; external data lie beside it."""
        return self._context.store.path(model_id, self.model(model_id).filename)

    def graph(self, model_id: str) -> Graph:
        """Its graph with inferred shapes; cached."""
        return self._context.decoded.file(Graph, checked_id(model_id, ArtifactKind.MODEL), "graph.json")

    def _add(
        self, stage: Callable[[Path], StagedModel], *, stages: Stages, name: str = "", sample: str = ""
    ) -> ModelRecord:
        from trt_core.onnx_graph.load import check_model, with_external
        from trt_core.onnx_graph.read import describe_model, read_graph

        store = self._context.store
        folder = store.scratch_folder()
        try:
            store.check_room(0)
            with stages.stage("copy and hash"):
                staged = stage(folder)
            with stages.stage("read"):
                # Before the hash is asked for: it is computed meanwhile.
                model = with_external(staged.model, staged.folder, weights=False)
                check_model(model)
                graph = read_graph(model)
                facts = describe_model(model, graph)
            with stages.stage("copy and hash"):
                model_id = f"{ArtifactKind.MODEL.value}-{staged.sha256[:12]}"
            if store.has(model_id):
                found = self.model(model_id)
                _check_same(model_id, found.sha256, staged.sha256)
                return found
            record = self._record(staged, facts, name=name, sample=sample)
            with stages.stage("store"):
                files: dict[str, Path | bytes | memoryview] = {
                    item.as_posix(): staged.folder / item for item in staged.files
                }
                files["graph.json"] = json.dumps(to_plain(graph), separators=(",", ":")).encode()
                store.put(ArtifactKind.MODEL, model_id, record, files, move=True, hashes=staged.hashes)
            return record
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _record(self, staged: StagedModel, facts: ModelFacts, *, name: str, sample: str) -> ModelRecord:
        return ModelRecord(
            id=f"{ArtifactKind.MODEL.value}-{staged.sha256[:12]}",
            sha256=staged.sha256,
            name=name or staged.name,
            sample=sample,
            created_at=self._context.clock(),
            size_bytes=staged.size_bytes,
            filename=staged.path.name,
            opset=facts.opset,
            ir_version=facts.ir_version,
            producer=facts.producer,
            parameters=facts.parameters,
            node_count=facts.node_count,
            macs=facts.macs,
            inputs=facts.inputs,
            outputs=facts.outputs,
            op_histogram=facts.op_histogram,
            findings=facts.findings,
        )

    # Data --------------------------------------------------------------------------------------------------------

    def add_data(self, source: Path | BinaryIO, *, name: str, model_id: str = "") -> DataRecord:
        """Bring in an `.npz`, checked against the model's inputs when a model is named."""
        from trt_core.store.npz import read_data

        store = self._context.store
        folder = store.scratch_folder()
        try:
            path = folder / "data.npz"
            with path.open("wb") as target:
                if isinstance(source, Path):
                    if not source.is_file():
                        raise InvalidData(f"There is no file {str(source)!r}.", remedy="Check the path.")
                    with source.open("rb") as opened:
                        shutil.copyfileobj(opened, target, 1 << 20)
                else:
                    shutil.copyfileobj(source, target, 1 << 20)
            facts = read_data(path, self.model(model_id).inputs if model_id else None, shown_as=name)
            sha256 = file_sha256(path)
            data_id = f"{ArtifactKind.DATA.value}-{sha256[:12]}"
            record = DataRecord(
                id=data_id,
                sha256=sha256,
                name=name,
                created_at=self._context.clock(),
                samples=facts.samples,
                arrays=facts.arrays,
                size_bytes=path.stat().st_size,
                findings=facts.findings,
            )
            store.put(ArtifactKind.DATA, data_id, record, {"data.npz": path}, move=True, hashes={"data.npz": sha256})
            found = self.data(data_id)
            _check_same(data_id, found.sha256, sha256)
            return found
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def data(self, data_id: str) -> DataRecord:
        """One set of samples."""
        return self._context.decoded.record(DataRecord, checked_id(data_id, ArtifactKind.DATA))

    def data_path(self, data_id: str) -> Path:
        """Its `.npz`."""
        return self._context.store.path(data_id, "data.npz")

    def data_sets(self, model_id: str = "") -> list[DataRecord]:
        """All sets of samples, newest first; with a model, those whose arrays are named like its inputs."""
        found = [self.data(data_id) for data_id in self._context.store.ids(ArtifactKind.DATA)]
        if not model_id:
            return found
        wanted = {spec.name for spec in self.model(model_id).inputs}
        return [record for record in found if {spec.name for spec in record.arrays} == wanted]

    def add_images(
        self, folder: Path, labels: Path, settings: ImageSettings, *, model_id: str, names: PictureNames | None = None
    ) -> tuple[DataRecord, DataRecord]:
        """Bring in a folder of pictures with its label file (name,class); the samples and their labels."""
        names = names or PictureNames(folder=folder.name, labels=labels.name)
        inputs, scratch = self.model(model_id).inputs, self._context.store.scratch_folder()
        try:
            written = written_pictures(inputs, folder, labels, settings, scratch=scratch, names=names)
            data = self.add_data(written.samples, name=names.folder, model_id=model_id)
            return data, self.add_data(written.labels, name=names.labels)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def add_pictures(
        self, pictures: Mapping[str, BinaryIO], labels: bytes, settings: ImageSettings, *, model_id: str, called: str
    ) -> tuple[DataRecord, DataRecord]:
        """Bring in pictures that were uploaded, by name, with the content of the label file, which is `called` so."""
        scratch = self._context.store.scratch_folder()
        try:
            listed, names = staged_pictures(pictures, labels, scratch, called=called)
            return self.add_images(scratch, listed, settings, model_id=model_id, names=names)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def label_sets(self) -> list[DataRecord]:
        """All files with an array `labels`, newest first."""
        return [item for item in self.data_sets() if any(spec.name == "labels" for spec in item.arrays)]

    # Both --------------------------------------------------------------------------------------------------------

    def made_from(self, artifact_id: str) -> dict[str, int]:
        """What would be deleted with it: how many variants, builds and so on, by kind."""
        kinds = {kind.value: kind.name.lower() for kind in ArtifactKind}
        return dict(Counter(kinds[name[0]] for name in self._context.store.descendants(artifact_id)))

    def working_on(self, artifact_id: str) -> list[Job]:
        """Jobs that are queued or run on a thing, or on what was made from it; oldest first."""
        context = self._context
        context.queue.tend()
        doomed = {artifact_id, *context.store.descendants(artifact_id)}
        active = context.jobs.jobs(states=(JobState.QUEUED, JobState.RUNNING))
        return [job for job in reversed(active) if mentions(job.request, doomed)]

    def delete(self, artifact_id: str) -> int:
        """Cancel the jobs that work on a thing, then delete it with all that was made from it; the bytes freed."""
        for job in self.working_on(artifact_id):
            self._context.queue.cancel(job.id)
        return self._context.store.delete(artifact_id)

    def usage(self) -> Usage:
        """What the workspace holds, and what it may."""
        settings = self._context.settings
        return Usage(
            used_bytes=self._context.store.used_bytes(),
            job_bytes=sum(disk_bytes(path) for path in job_files(settings.workspace)),
            quota_bytes=settings.quota_mb << 20,
            disk_free_bytes=shutil.disk_usage(settings.workspace).free,
        )
