"""Which engines a validation runs: those that are named, where they run on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trt_core.backends.tensorrt.native import BACKEND
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.requests import ValidateSpec
from trt_core.errors import GpuUnavailable, InvalidInput, Unavailable, UnsupportedRequest
from trt_core.services.builds import Builds
from trt_core.services.engine_batches import Sampled, engine_batches
from trt_core.services.engine_runs import EngineRuns
from trt_core.services.library import Library


@dataclass(frozen=True, kw_only=True)
class ChosenEngines:
    """Builds whose engines are run, "" where ONNX Runtime runs, and the samples in batches that the engines take."""

    candidate: str = ""
    baseline: str = ""
    sampled: Sampled | None = None


class EngineChoice:
    """Decides for a validation what runs as an engine."""

    def __init__(self, library: Library, builds: Builds, runs: EngineRuns) -> None:
        self._library = library
        self._builds = builds
        self._runs = runs

    def why_not(self, subject_id: str) -> str:
        """Why no engine of a candidate can be run here, with what helps; empty where its engine can."""
        if subject_id[:1] != ArtifactKind.BUILD.value:
            return "A variant is no engine: build it with TensorRT on a GPU host, and validate the build."
        refusal = self._runs.refusal(subject_id)
        return refusal.message if refusal else ""

    def resolved(self, spec: ValidateSpec) -> ValidateSpec:
        """The same wish with its backend decided: the engine where it runs, unless another is asked for.

        Raises GpuUnavailable for engines that were asked for and do not run here, UnsupportedRequest where none is
        named.
        """
        if spec.backend:
            self._named(spec)
            return spec
        self._named(replace(spec, backend="ort"))  # a baseline of another model is wrong whatever runs it
        asked = replace(spec, backend=BACKEND)
        try:
            self._named(asked)
        except (Unavailable, UnsupportedRequest):
            return replace(spec, backend="ort")
        return asked

    def engines(self, spec: ValidateSpec) -> ChosenEngines:
        """The engines of a resolved wish; InvalidProfile or InvalidData where they take no batch of the samples."""
        named = self._named(spec)
        builds = [self._builds.build(item) for item in (named.candidate, named.baseline) if item]
        if not builds:
            return named
        sampled = engine_batches(self._library, builds, spec.model_id, spec.data_id, limit=spec.samples)
        return replace(named, sampled=sampled)

    def _named(self, spec: ValidateSpec) -> ChosenEngines:
        """The builds that are run; raises the reason of the first that cannot be."""
        candidate = spec.subject_id if spec.subject_id[:1] == ArtifactKind.BUILD.value else ""
        baseline = spec.baseline_id
        if baseline and self._builds.build(baseline).model_id != spec.model_id:
            raise InvalidInput(f"{baseline} was not made of {spec.model_id}.", remedy="Name a build of the model.")
        if spec.backend != BACKEND:
            return ChosenEngines()
        if baseline and self._builds.build(baseline).request.backend != BACKEND:
            baseline = ""
        for build_id in filter(None, (candidate, baseline)):
            if refusal := self._runs.refusal(build_id):
                raise refusal
        if not candidate and not baseline:
            if reason := self._runs.why_not():
                raise GpuUnavailable(reason, remedy="Use --backend ort: then the numerics twin is run.")
            raise UnsupportedRequest(
                f"{spec.subject_id} is no engine.", remedy="Build it with --backend tensorrt, and name the build."
            )
        return ChosenEngines(candidate=candidate, baseline=baseline)
