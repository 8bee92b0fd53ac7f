"""Layer support of a model: the parser's answer, and a build's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trt_core.domain.artifacts import PROOF, ArtifactKind, checked_id
from trt_core.domain.codec import to_plain
from trt_core.domain.engine import Sm
from trt_core.domain.findings import Finding
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, InspectSpec, QuantizeSpec
from trt_core.domain.support import SupportReport
from trt_core.domain.tensors import passed_through
from trt_core.errors import BackendError, DependencyMissing, UnsupportedRequest
from trt_core.protocols import Reporter
from trt_core.services.builds import Builds
from trt_core.services.context import Context, Stages, content_id
from trt_core.services.library import Library
from trt_core.services.places import building_place

_LARGEST_FILE = (1 << 31) - 1  # protobuf's limit for one message


class Support:
    """Ask which nodes a backend takes."""

    def __init__(self, context: Context, library: Library, builds: Builds) -> None:
        self._context = context
        self._library = library
        self._builds = builds

    def id_of(self, spec: InspectSpec) -> str:
        """The id of this question."""
        version = self._context.compiler(spec.backend).version()
        sha256 = self._library.model(spec.model_id).sha256
        target = self._target(spec)
        number = target.number if target else 0
        return content_id(
            ArtifactKind.SUPPORT,
            {"model": sha256, "backend": spec.backend, "version": version, "sm": number, "prove": spec.prove},
        )

    def _target(self, spec: InspectSpec) -> Sm | None:
        return spec.target or self._context.compiler(spec.backend).default_target

    def find(self, spec: InspectSpec) -> SupportReport | None:
        """The stored answer; one that a build has proved answers the plain question, too."""
        found = self.find_id(spec)
        return self._context.decoded.record(SupportReport, found) if found else None

    def find_id(self, spec: InspectSpec) -> str:
        """The id of that answer, "" where there is none."""
        wishes = (replace(spec, prove=True), spec)
        return next((found for found in map(self.id_of, wishes) if self._context.store.has(found)), "")

    def stored(self, report_id: str) -> tuple[str, SupportReport]:
        """One answer by its id, and the model that it is about."""
        found = self._context.store.artifact(checked_id(report_id, ArtifactKind.SUPPORT))
        return found.parents[0], self._context.decoded.record(SupportReport, report_id)

    def ids(self, model_id: str) -> list[str]:
        """Ids of the answers about a model, newest first."""
        return self._context.store.ids(ArtifactKind.SUPPORT, parent=model_id)

    def extract(self, model_id: str, nodes: Sequence[int]) -> bytes:
        """Those nodes as an ONNX file of their own, weights inside; UnsupportedRequest where it passes 2 GB."""
        from trt_core.onnx_graph.extract import extract_nodes
        from trt_core.onnx_graph.load import load_model

        part = extract_nodes(load_model(self._library.model_path(model_id)), nodes)
        if part.ByteSize() > _LARGEST_FILE:
            raise UnsupportedRequest(
                f"The part has {part.ByteSize() >> 20} MiB; one ONNX file holds 2,047.",
                remedy="Take fewer nodes at a time.",
            )
        return bytes(part.SerializeToString())

    def model_findings(self, model_id: str) -> tuple[Finding, ...]:
        """What the rules find in the model itself, and what its reading found."""
        from trt_core.analysis.model_rules import model_findings
        from trt_core.onnx_graph.load import load_model

        record = self._library.model(model_id)
        # The weights stay on disk: rules look at names, types and small values, which the file itself holds.
        model = load_model(self._library.model_path(model_id), weights=False)
        return (*record.findings, *model_findings(self._library.graph(model_id), opset=record.opset, model=model))

    def submit(self, spec: InspectSpec) -> Job:
        """Queue the question."""
        compiler = self._context.compiler(spec.backend)
        capabilities = compiler.capabilities()
        if not capabilities.can_parse:
            raise DependencyMissing(f"{capabilities.title} is not usable here.", remedy=capabilities.why_not("parse"))
        compiler.check_target(self._target(spec))
        title = f"Support of {self._library.model(spec.model_id).name}"
        device, use = building_place(*((compiler,) if spec.prove else ()))
        job = Job(id="", kind=JobKind.INSPECT, title=title, request={"spec": to_plain(spec)}, device=device, use=use)
        return self._context.queue.submit(job)

    def perform(self, spec: InspectSpec, reporter: Reporter, *, stages: Stages | None = None) -> SupportReport:
        """Ask in the calling process."""
        found = self.find(spec)
        if found is not None:
            return found
        stages = stages or Stages()
        compiler = self._context.compiler(spec.backend)
        graph = self._library.graph(spec.model_id)
        reporter.progress(Progress(phase="Asking the parser"))
        with stages.stage("support"):
            report = compiler.support(
                self._library.model_path(spec.model_id), graph, target=self._target(spec), reporter=reporter
            )
        if spec.prove:
            report = self._proved(spec, report, reporter, stages)
        self._context.store.put(ArtifactKind.SUPPORT, self.id_of(spec), report, {}, parents=(spec.model_id,))
        return report

    def _proved(self, spec: InspectSpec, report: SupportReport, reporter: Reporter, stages: Stages) -> SupportReport:
        """The report with what a build of the FP32 file says; a refused model is not built."""
        from trt_core.backends.proof import prove_by_build

        model = self._library.model(spec.model_id)
        if report.unsupported or passed_through(model.inputs, model.outputs):
            return report
        variant = QuantizeSpec(model_id=spec.model_id, recipe=Recipe(precision=Precision.FP32))
        wish = BuildSpec(variant=variant, backend=spec.backend, target=spec.target)
        try:
            self._builds.perform(wish, reporter, stages=stages, made_for=PROOF)
        except BackendError as error:
            return prove_by_build(report, error)
        return prove_by_build(report, None)
