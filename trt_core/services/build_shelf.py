"""What a compiler gave becomes a build: mapped to the model's nodes, judged, stored."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from trt_core.domain.artifacts import ArtifactKind, BuildRecord, VariantRecord
from trt_core.domain.codec import to_plain
from trt_core.domain.engine import BuildRequest
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.fusion import FusionMap, FusionStep
from trt_core.domain.profiles import static_profile
from trt_core.domain.requests import BuildSpec
from trt_core.hashing import sha256_soon
from trt_core.protocols import CompileOutput
from trt_core.services.context import Context, Stages
from trt_core.services.host import build_host
from trt_core.services.library import Library
from trt_core.services.variants import Variants


@dataclass(frozen=True, kw_only=True)
class Made:
    """An engine that was just compiled, with what was asked for; `attempt` counts from 1."""

    id: str
    spec: BuildSpec
    request: BuildRequest
    variant: VariantRecord
    compiled: CompileOutput
    attempt: int
    made_for: str = ""


class BuildShelf:
    """Stores engines with their fusion maps and findings."""

    def __init__(self, context: Context, library: Library, variants: Variants) -> None:
        self._context = context
        self._library = library
        self._variants = variants

    def keep(self, made: Made, stages: Stages) -> BuildRecord:
        """Store the engine; its hash is computed while the nodes are mapped."""
        digest = sha256_soon(made.compiled.engine)
        with stages.stage("fusion map"):
            fusion = self._map(made)
            findings = self._findings(made, fusion)
        with stages.stage("store engine"):
            engine_sha256 = digest.result()
            record = self._record(made, fusion, findings, engine_sha256, stages)
            self._context.store.put(
                ArtifactKind.BUILD,
                made.id,
                record,
                _files(made.compiled, fusion),
                parents=(made.variant.model_id, made.variant.id),
                hashes={"model.engine": engine_sha256},
            )
        return record

    def _record(
        self, made: Made, fusion: FusionMap, findings: tuple[Finding, ...], engine_sha256: str, stages: Stages
    ) -> BuildRecord:
        compiled = made.compiled
        return BuildRecord(
            id=made.id,
            model_id=made.variant.model_id,
            created_at=self._context.clock(),
            request=made.request,
            recipe=made.spec.variant.recipe,
            attempt=made.attempt,
            backend_version=compiled.backend_version,
            target=str(made.spec.target or "this GPU"),
            seconds=compiled.parse_seconds + compiled.build_seconds,
            engine_bytes=compiled.engine.nbytes,
            engine_sha256=engine_sha256,
            layer_count=len(compiled.record.working_layers),
            precisions=compiled.record.precisions,
            node_states={state.value: count for state, count in fusion.state_counts.items()},
            stages=stages.listed(),
            host=build_host(),
            ranges=compiled.ranges,
            findings=findings,
            made_for=made.made_for,
        )

    def _map(self, made: Made) -> FusionMap:
        from trt_core.analysis.fusion_map import map_fusion
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.read import read_graph

        graph = self._library.graph(made.variant.model_id)
        return map_fusion(
            build_id=made.id,
            stamp=self._context.compiler(made.spec.backend).stamp(made.spec.target),
            graph=graph,
            provenance=made.variant.provenance,
            variant_graph=read_graph(load_model(self._variants.path(made.variant.id), weights=False)),
            record=made.compiled.record,
            normalized_steps=_steps(made.variant, len(graph.nodes)),
        )

    def _findings(self, made: Made, fusion: FusionMap) -> tuple[Finding, ...]:
        from trt_core.analysis.engine_rules import engine_findings
        from trt_core.analysis.recurrent_rules import profile_findings

        own: tuple[Finding, ...] = ()
        profiles = made.spec.profiles
        if profiles == (static_profile(self._library.model(made.variant.model_id).inputs),) and profiles[0].ranges:
            own = (
                Finding(
                    rule="static-default-profile",
                    severity=Severity.NOTE,
                    message="Every dynamic dimension is built for size 1 only: no profile with a range was asked for.",
                    remedy="Give min, opt and max for the shapes that the engine will meet.",
                ),
            )
        if self._context.compiler(made.spec.backend).capabilities().needs_open_recurrent_batch:
            own += profile_findings(self._library.graph(made.variant.model_id), profiles)
        wanted = made.spec.variant.recipe.precision
        engine = engine_findings(made.compiled.record, wanted, fusion, implicit=made.spec.is_implicit)
        return (*engine, *own, *made.compiled.findings, *made.variant.findings, *fusion.findings)


def _files(compiled: CompileOutput, fusion: FusionMap) -> dict[str, Path | bytes | memoryview]:
    files: dict[str, Path | bytes | memoryview] = {
        "model.engine": compiled.engine,
        "record.json": _json(compiled.record),
        "fusion.json": _json(fusion),
        "build.log.gz": gzip.compress(compiled.log.encode("utf-8", "replace"), 1),
    }
    if compiled.calibration_cache:
        files["calibration.cache"] = compiled.calibration_cache.encode()
    return files


def _steps(variant: VariantRecord, before: int) -> tuple[FusionStep, ...]:
    """Our own steps on the file, in order, with the nodes that each took out."""
    steps = []
    for name in dict.fromkeys(item.by for item in variant.provenance.removed):
        after = before - sum(item.by == name for item in variant.provenance.removed)
        steps.append(FusionStep(name=name, before=before, after=after))
        before = after
    inserted = sum(node.inserted for node in variant.provenance.nodes)
    if inserted:
        label = f"{variant.recipe.precision.value.upper()} casts and Q/DQ"
        steps.append(FusionStep(name=label, before=before, after=before + inserted))
    return tuple(steps)


def _json(value: object) -> bytes:
    return json.dumps(to_plain(value), separators=(",", ":")).encode()
