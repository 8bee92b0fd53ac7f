"""Engines to look into: recorded elsewhere, or built here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trt_core.domain.artifacts import ArtifactKind, BuildRecord, checked_id
from trt_core.domain.engine import EngineRecord
from trt_core.domain.fusion import FusionMap
from trt_core.domain.recordings import EngineStudy, LayerFacts
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import NotFound
from trt_core.services.builds import Builds
from trt_core.services.calibration_caches import CalibrationCaches
from trt_core.services.engine_times import with_times
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.recordings import Recordings

if TYPE_CHECKING:
    from trt_core.analysis.rebuilds import RebuildSpread


@dataclass(frozen=True, kw_only=True)
class EngineEntry:
    """One line of the list of engines."""

    id: str
    project: str
    title: str
    is_recording: bool
    p50_ms: float | None = None


class Engines:
    """What the engine explorer can open."""

    def __init__(
        self,
        library: Library,
        builds: Builds,
        recordings: Recordings,
        caches: CalibrationCaches,
        latency: Latencies,
    ) -> None:
        self._caches = caches
        self._library = library
        self._builds = builds
        self._recordings = recordings
        self._latency = latency

    def entries(self) -> list[EngineEntry]:
        """Recordings by project, then the builds of this workspace, newest first."""
        found = [
            EngineEntry(id=item.id, project=item.project, title=item.name, is_recording=True, p50_ms=item.p50_ms)
            for item in self._recordings.recordings()
        ]
        names = {record.id: record.name for record in self._library.models()}
        for build in self._builds.builds():
            project = names.get(build.model_id, build.model_id)
            found.append(EngineEntry(id=build.id, project=project, title=_title(build), is_recording=False))
        return found

    def study(self, engine_id: str) -> EngineStudy:
        """Everything known of one engine."""
        kind = checked_id(engine_id)[0]
        if kind == ArtifactKind.RECORDING.value:
            return self._recordings.study(engine_id)
        if kind == ArtifactKind.BUILD.value:
            build = self._builds.build(engine_id)
            return with_times(self._of_build(build), build, self._latency)
        raise NotFound(f"{engine_id!r} is no engine.", remedy="Choose a recording or a build.")

    def latest_run(self, engine_id: str) -> str:
        """The newest latency run of a build, with which its study may change; empty for other engines."""
        if engine_id[:1] != ArtifactKind.BUILD.value:
            return ""
        heads = self._latency.heads(self._builds.build(engine_id).model_id)
        return next((head.id for head in heads if head.subject_id == engine_id), "")

    def _of_build(self, build: BuildRecord) -> EngineStudy:
        from trt_core.analysis.engine_memory import at_batch
        from trt_core.backends.tensorrt.memory_log import read_scratch
        from trt_core.backends.tensorrt.recording_files import builder_words
        from trt_core.backends.tensorrt.tactics_log import read_tuning

        model = self._library.model(build.model_id)
        usual, largest = _batches(build, model.inputs)
        record = at_batch(self._builds.engine_record(build.id), usual)
        fusion = self._builds.fusion(build.id)
        log = self._builds.log(build.id)
        tuning = read_tuning(log)
        return EngineStudy(
            id=build.id,
            title=_title(build),
            project=model.name,
            stamp=f"{fusion.stamp.rstrip('.')}. Sizes are those of batch {usual}.",
            record=record,
            asked=build.recipe.precision,
            device=build.target,
            batch=usual,
            largest_batch=largest,
            scratch=read_scratch(log),
            facts=_facts(record, fusion, self._macs(build.model_id, usual)),
            tuning=tuning if tuning.timing_count else None,
            said=builder_words(log),
            calibration_cache=self._caches.text(build.id) if self._caches.has(build.id) else "",
        )

    def _macs(self, model_id: str, batch: int) -> dict[int, int]:
        """Multiply-accumulates of the model's nodes; the graph has them with every symbol at 1."""
        is_open = any(_is_open(spec) for spec in self._library.model(model_id).inputs)
        nodes = self._library.graph(model_id).nodes
        return {node.index: (node.macs or 0) * (batch if is_open else 1) for node in nodes}

    def rebuilds(self, build_id: str) -> RebuildSpread:
        """The spread over all attempts at the request of a build."""
        from trt_core.analysis.rebuilds import spread

        first = self._builds.build(build_id)
        family = [item for item in self._builds.builds(first.model_id) if _stem(item.id) == _stem(first.id)]
        family.sort(key=lambda item: item.attempt)
        return spread([(item, self._builds.engine_record(item.id)) for item in family])


def _stem(build_id: str) -> str:
    return build_id[:14]


def _title(build: BuildRecord) -> str:
    attempt = f" attempt {build.attempt}" if build.attempt > 1 else ""
    part = f", {build.made_for}" if build.made_for else ""
    return f"{build.recipe.precision.value.upper()} {build.target}{attempt}{part}"


def _is_open(spec: TensorSpec) -> bool:
    return bool(spec.shape) and not isinstance((spec.shape or (1,))[0], int)


def _batches(build: BuildRecord, inputs: tuple[TensorSpec, ...]) -> tuple[int, int]:
    """The batch that the engine is tuned for, and the largest that its profiles take."""
    named = {spec.name for spec in inputs if _is_open(spec)}
    ranges = [item for profile in build.request.profiles for item in profile.ranges if item.tensor in named]
    if ranges:
        return ranges[0].opt[0], max(item.max[0] for item in ranges)
    fixed = next((spec.shape[0] for spec in inputs if spec.shape and isinstance(spec.shape[0], int)), 1)
    return fixed, fixed


def _facts(record: EngineRecord, fusion: FusionMap, macs: dict[int, int]) -> tuple[LayerFacts, ...]:
    """Multiply-accumulates of a layer: those of its nodes, each counted where it is mapped first."""
    from trt_core.analysis.traffic import engine_tensor_bytes

    nodes_of = {layer.index: layer.nodes for layer in fusion.layers}
    counted: set[int] = set()
    found = []
    for layer in record.layers:
        new = [node for node in nodes_of.get(layer.index, ()) if node not in counted]
        counted.update(new)
        total = sum(macs.get(node, 0) for node in new)
        weights = sum(map(engine_tensor_bytes, layer.constants))
        found.append(LayerFacts(name=layer.name, tactic=layer.kernel, macs=total or None, weight_bytes=weights))
    return tuple(found)
