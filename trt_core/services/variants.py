"""Variants: a model in another precision, as ONNX."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.domain.artifacts import ArtifactKind, CacheRecord, VariantRecord, checked_id
from trt_core.domain.codec import to_plain
from trt_core.domain.findings import Finding
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Job, JobKind, Progress
from trt_core.domain.precision import CalibrationMethod, Recipe, TensorRange
from trt_core.domain.requests import QuantizeSpec
from trt_core.errors import InvalidInput, UnsupportedRequest
from trt_core.protocols import Reporter
from trt_core.services.calibrations import Calibrations
from trt_core.services.context import Context, Stages, content_id
from trt_core.services.library import Library

if TYPE_CHECKING:
    import onnx


class Variants:
    """Make, keep and find variants."""

    def __init__(self, context: Context, library: Library, calibrations: Calibrations) -> None:
        self._context = context
        self._library = library
        self._calibrations = calibrations

    def resolved(self, spec: QuantizeSpec) -> QuantizeSpec:
        """The same wish with the data's hash in the recipe, and nothing in it that the precision ignores."""
        recipe = spec.recipe
        if recipe.needs_data and spec.has_cache:
            cache = self._context.decoded.record(CacheRecord, checked_id(spec.data_id, ArtifactKind.CACHE))
            recipe = replace(recipe, data_sha256=cache.sha256, method=cache.method)
        elif recipe.needs_data:
            recipe = replace(recipe, data_sha256=self._library.data(spec.data_id).sha256)
        else:
            plain = Recipe(precision=recipe.precision)
            recipe = replace(recipe, method=plain.method, percentile=plain.percentile, data_sha256="", attention=False)
        if not recipe.precision.is_quantized:
            recipe = replace(recipe, rest=Recipe(precision=recipe.precision).rest)
        if recipe.method is not CalibrationMethod.PERCENTILE:
            recipe = replace(recipe, percentile=Recipe(precision=recipe.precision).percentile)
        self._check_nodes(spec.model_id, recipe)
        return replace(spec, recipe=recipe, data_id=spec.data_id if recipe.needs_data else "")

    def _check_nodes(self, model_id: str, recipe: Recipe) -> None:
        if not recipe.keep:
            return
        known = self._library.graph(model_id).indices_by_name
        for rule in recipe.keep:
            if rule.node not in known:
                raise InvalidInput(
                    f"The model has no node {rule.node[:120]!r}.", remedy="Copy a name from the list of nodes."
                )

    def id_of(self, spec: QuantizeSpec) -> str:
        """The id that this wish has, made from everything that decides the file."""
        import importlib.metadata

        from trt_core.precision.variant import CONVERTER_VERSION

        resolved = self.resolved(spec)
        versions = {"converter": CONVERTER_VERSION, "onnx": importlib.metadata.version("onnx"), "artifact": "2"}
        return content_id(
            ArtifactKind.VARIANT,
            {
                "model": self._library.model(resolved.model_id).sha256,
                "recipe": resolved.recipe.identity,
                "versions": versions,
            },
        )

    def variant(self, variant_id: str) -> VariantRecord:
        """One variant."""
        return self._context.decoded.record(VariantRecord, checked_id(variant_id, ArtifactKind.VARIANT))

    def variants(self, model_id: str) -> list[VariantRecord]:
        """The variants of a model, newest first."""
        return [self.variant(item) for item in self._context.store.ids(ArtifactKind.VARIANT, parent=model_id)]

    def path(self, variant_id: str) -> Path:
        """The file that is built."""
        return self._context.store.path(checked_id(variant_id, ArtifactKind.VARIANT), "model.onnx")

    def graph(self, variant_id: str) -> Graph:
        """The graph of the file that is built."""
        return self._context.decoded.file(Graph, checked_id(variant_id, ArtifactKind.VARIANT), "graph.json")

    def find(self, spec: QuantizeSpec) -> VariantRecord | None:
        """The variant if it has been made."""
        variant_id = self.id_of(spec)
        return self.variant(variant_id) if self._context.store.has(variant_id) else None

    def require_samples(self, spec: QuantizeSpec) -> None:
        """Refuse a calibration cache where samples are run: its scales are symmetric and TensorRT's alone."""
        if spec.has_cache and spec.recipe.needs_data:
            raise UnsupportedRequest(
                "A calibration cache serves implicit calibration; Q/DQ pairs are calibrated on samples.",
                remedy="Give an .npz, or build with --calibration implicit where the backend has it.",
            )

    def submit(self, spec: QuantizeSpec) -> Job:
        """Queue the making of a variant."""
        self.require_samples(spec)
        resolved = self.resolved(spec)
        title = f"{resolved.recipe.precision.value.upper()} variant of {self._library.model(spec.model_id).name}"
        job = Job(id="", kind=JobKind.QUANTIZE, title=title, request={"spec": to_plain(resolved)})
        return self._context.queue.submit(job)

    def perform(self, spec: QuantizeSpec, reporter: Reporter, *, stages: Stages | None = None) -> VariantRecord:
        """Make a variant, in the calling process; one that the store has is answered from there."""
        self.require_samples(spec)
        stages = stages or Stages()
        spec = self.resolved(spec)
        found = self.find(spec)
        return found or self._make(spec, reporter, stages)

    def _make(self, spec: QuantizeSpec, reporter: Reporter, stages: Stages) -> VariantRecord:
        from trt_core.onnx_graph.load import load_model
        from trt_core.precision.normalize import normalize
        from trt_core.precision.variant import make_variant, scaled_for

        reporter.progress(Progress(phase="Reading the model"))
        with stages.stage("load"):
            original = load_model(self._library.model_path(spec.model_id))
        reporter.progress(Progress(phase="Normalizing"))
        with stages.stage("normalize"):
            normalized = normalize(original) if spec.recipe.normalize else None
        ranges: tuple[TensorRange, ...] = ()
        calibration_findings: tuple[Finding, ...] = ()
        if spec.recipe.needs_data:
            with stages.stage("calibrate"):
                calibrated = self._calibrations.perform(spec, normalized or original, reporter)
                ranges, calibration_findings = calibrated.ranges, calibrated.findings
        reporter.progress(Progress(phase=f"Writing the {spec.recipe.precision.value.upper()} variant"))
        with stages.stage("variant"):
            made = make_variant(original, spec.recipe, ranges, normalized=normalized)
            model = made.model
        record = VariantRecord(
            id=self.id_of(spec),
            model_id=spec.model_id,
            sha256="",
            created_at=self._context.clock(),
            recipe=spec.recipe,
            ranges=scaled_for(ranges, spec.recipe),
            quantized_nodes=made.quantized_nodes,
            kept_nodes=made.kept_nodes,
            provenance=made.provenance,
            node_count=len(model.graph.node),
            findings=(*calibration_findings, *made.findings),
        )
        with stages.stage("store variant"):
            return self._store(record, model, spec)

    def _store(self, record: VariantRecord, model: onnx.ModelProto, spec: QuantizeSpec) -> VariantRecord:
        from trt_core.onnx_graph.read import read_graph
        from trt_core.onnx_graph.save import write_model

        store = self._context.store
        folder = store.scratch_folder()
        try:
            hashes = write_model(model, folder / "model.onnx")
            digest = hashlib.sha256("".join(sorted(hashes.values())).encode()) if len(hashes) > 1 else None
            record = replace(record, sha256=digest.hexdigest() if digest else hashes["model.onnx"])
            parents = [spec.model_id, *([spec.data_id] if spec.data_id else [])]
            files: dict[str, Path | bytes | memoryview] = {name: folder / name for name in hashes}
            # Whoever maps an engine to this file needs its graph: read here, while the model is in memory.
            files["graph.json"] = json.dumps(to_plain(read_graph(model)), separators=(",", ":")).encode()
            store.put(ArtifactKind.VARIANT, record.id, record, files, parents=parents, move=True, hashes=hashes)
            return record
        finally:
            shutil.rmtree(folder, ignore_errors=True)
