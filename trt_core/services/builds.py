"""Engines: asked for, built, found again, explained."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from pathlib import Path

from trt_core.analysis.recurrent_rules import default_profile
from trt_core.domain.artifacts import ArtifactKind, BuildRecord, VariantRecord, checked_id
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.codec import to_plain
from trt_core.domain.engine import BuildRequest, EngineRecord
from trt_core.domain.fusion import FusionMap
from trt_core.domain.jobs import Job, JobKind
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import check_profile
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.domain.tensors import passed_through
from trt_core.errors import DependencyMissing, NotFound, UnsupportedRequest
from trt_core.protocols import CalibrationInput, CompileInput, CompileOutput, Reporter
from trt_core.services.build_limits import check_limits
from trt_core.services.build_shelf import BuildShelf, Made
from trt_core.services.calibration_caches import CalibrationCaches
from trt_core.services.context import Context, Stages, content_id
from trt_core.services.library import Library
from trt_core.services.places import building_place
from trt_core.services.typing_plan import built_variant, calibration_for, kept_nodes, kept_timings, rest_of
from trt_core.services.variants import Variants


@dataclass(frozen=True, kw_only=True)
class Built:
    """A build and whether the store had it."""

    record: BuildRecord
    cached: bool


class Builds:
    """Turn a variant into a stored engine with its fusion map."""

    def __init__(self, context: Context, library: Library, variants: Variants, caches: CalibrationCaches) -> None:
        self._context = context
        self._caches = caches
        self._library = library
        self._variants = variants
        self._shelf = BuildShelf(context, library, variants)

    # Asking ------------------------------------------------------------------------------------------------------

    def resolved(self, spec: BuildSpec) -> BuildSpec:
        """The same wish with everything decided that was left open; InvalidProfile for profiles that do not fit."""
        inputs, profiles = self._library.model(spec.variant.model_id).inputs, spec.profiles
        compiler = self._context.compiler(spec.backend)
        if not profiles and not all(item.is_static for item in inputs):
            widen = compiler.capabilities().needs_open_recurrent_batch
            profiles = (default_profile(self._library.graph(spec.variant.model_id), open_batch=widen),)
        for profile in profiles:
            check_profile(profile, inputs)
        variant, target = self._variants.resolved(spec.variant), spec.target or compiler.default_target
        return replace(spec, variant=variant, target=target, profiles=profiles)

    def check(self, spec: BuildSpec) -> None:
        """Refuse what cannot be built, before anything is queued.

        Raises DependencyMissing or GpuUnavailable, UnsupportedRequest for a target or precision that the backend does
        not know, InvalidProfile for shapes that the model's own nodes cannot take.
        """
        spec = self.resolved(spec)
        capabilities = self._able(spec.backend)
        self._context.compiler(spec.backend).check_target(spec.target)
        self._check_ends(spec)
        if spec.is_implicit:
            self.require_implicit_calibration(spec.backend)
        else:
            self._variants.require_samples(spec.variant)
        check_limits(spec, capabilities)
        self._check_shapes(spec)

    def _able(self, backend: str) -> Capabilities:
        """What the backend can do; DependencyMissing where it builds nothing here."""
        capabilities = self._context.compiler(backend).capabilities()
        if not capabilities.can_build:
            raise DependencyMissing(f"{capabilities.title} does not build here.", remedy=capabilities.why_not("build"))
        return capabilities

    def require_implicit_calibration(self, backend: str) -> None:
        """Refuse implicit calibration where the backend has only Q/DQ."""
        capabilities = self._able(backend)
        if not capabilities.has_implicit_calibration:
            raise UnsupportedRequest(
                f"{capabilities.title} has no implicit calibration; INT8 is carried by Q/DQ pairs in the ONNX.",
                remedy="Use --calibration explicit, or TensorRT 8.6 or 10.x on a GPU host.",
            )

    def require_timing_cache(self, backend: str) -> None:
        """Refuse a timing cache where the backend times nothing."""
        capabilities = self._able(backend)
        if not capabilities.has_timing_cache:
            raise UnsupportedRequest(
                f"{capabilities.title} has no timing cache: it compiles ahead of time and times no tactic.",
                remedy="Leave --timing-cache out.",
            )

    def bring_timing_cache(self, path: Path) -> str:
        """Keep a timing cache from elsewhere in the workspace; its content hash, which a build's options name."""
        if not path.is_file():
            raise NotFound(f"There is no file {path.name!r}.", remedy="Give the path of a timing cache.")
        return kept_timings(path, self._context.settings.workspace)

    def id_of(self, spec: BuildSpec) -> str:
        """The id of a resolved wish, its attempt left out."""
        request = self._request(spec)
        version = self._context.compiler(spec.backend).version()
        return content_id(ArtifactKind.BUILD, {"request": request.identity, "version": version})

    def _request(self, spec: BuildSpec) -> BuildRequest:
        wanted = spec.variant.recipe.precision
        tf32 = wanted is Precision.TF32 or (spec.options.tf32 and wanted is not Precision.FP32)
        options = replace(spec.options, tf32=tf32)
        return BuildRequest(
            variant_id=self._variants.id_of(self._file_of(spec)),
            calibrated=spec.variant.recipe if spec.is_implicit else None,
            backend=spec.backend,
            target=spec.target,
            profiles=spec.profiles,
            options=options,
        )

    def _file_of(self, spec: BuildSpec) -> QuantizeSpec:
        compiler = self._context.compiler(spec.backend)
        # Only a library that builds on this machine's own GPU can be weakly typed; asking the others costs a probe.
        weakly_typed = compiler.default_target is None and compiler.capabilities().is_weakly_typed
        return built_variant(spec, weakly_typed=weakly_typed)

    def submit(self, spec: BuildSpec) -> Job:
        """Queue a build; refused at once when it cannot work. On a GPU it runs alone, because it times tactics."""
        self.check(spec)
        spec = self.resolved(spec)
        model = self._library.model(spec.variant.model_id)
        precision = spec.variant.recipe.precision.value.upper()
        title = f"{precision} build of {model.name} for {spec.target or 'this GPU'}"
        device, use = building_place(self._context.compiler(spec.backend))
        job = Job(
            id="",
            kind=JobKind.BUILD,
            title=title,
            request={"spec": to_plain(spec)},
            device=device,
            use=use,
        )
        return self._context.queue.submit(job)

    def find(self, spec: BuildSpec) -> BuildRecord | None:
        """The newest attempt at this wish, if there is one and no further one is wanted."""
        spec = self.resolved(spec)
        attempts = self._attempts(self.id_of(spec))
        return self.build(attempts[-1]) if attempts and not spec.rebuild else None

    def attempts(self, spec: BuildSpec) -> tuple[str, ...]:
        """Ids of every attempt at a resolved wish, the first one first."""
        return tuple(self._attempts(self.id_of(spec)))

    def _attempts(self, build_id: str) -> list[str]:
        found = []
        attempt = build_id
        while self._context.store.has(attempt):
            found.append(attempt)
            attempt = f"{build_id}-{len(found) + 1}"
        return found

    # Looking -----------------------------------------------------------------------------------------------------

    def build(self, build_id: str) -> BuildRecord:
        """One build."""
        return self._context.decoded.record(BuildRecord, checked_id(build_id, ArtifactKind.BUILD))

    def builds(self, model_id: str = "") -> list[BuildRecord]:
        """All builds, newest first, what nobody asked for behind the others; with a model, only its own."""
        found = self._context.store.ids(ArtifactKind.BUILD, parent=model_id or None)
        return sorted(map(self.build, found), key=lambda item: bool(item.made_for))

    def engine_path(self, build_id: str) -> Path:
        """The serialized engine."""
        return self._context.store.path(checked_id(build_id, ArtifactKind.BUILD), "model.engine")

    def engine_record(self, build_id: str) -> EngineRecord:
        """What the compiler recorded."""
        return self._context.decoded.file(EngineRecord, checked_id(build_id, ArtifactKind.BUILD), "record.json")

    def fusion(self, build_id: str) -> FusionMap:
        """The map between the uploaded model's nodes and the engine's layers."""
        return self._context.decoded.file(FusionMap, checked_id(build_id, ArtifactKind.BUILD), "fusion.json")

    def log(self, build_id: str) -> str:
        """The compiler's verbose log."""
        path = self._context.store.path(checked_id(build_id, ArtifactKind.BUILD), "build.log.gz")
        return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")

    def wish_of(self, build_id: str) -> BuildSpec:
        """The wish that a build came from; NotFound when its calibration data are gone."""
        build = self.build(build_id)
        recipe, data_id = build.recipe, ""
        if recipe.needs_data:
            known = {item.sha256: item.id for item in self._caches.caches(build.model_id)}
            known |= {item.sha256: item.id for item in self._library.data_sets(build.model_id)}
            if recipe.data_sha256 not in known:
                raise NotFound("The calibration data of this build are gone.", remedy="Bring them in again.")
            data_id = known[recipe.data_sha256]
        request = build.request
        return BuildSpec(
            variant=QuantizeSpec(model_id=build.model_id, recipe=recipe, data_id=data_id),
            backend=request.backend,
            target=request.target,
            profiles=request.profiles,
            options=request.options,
        )

    def input_of(self, build_id: str, reporter: Reporter) -> CompileInput:
        """What the compiler was given for a build: whoever builds it with a difference starts from here."""
        spec = self.wish_of(build_id)
        return self._compile_input(spec, self._variants.perform(self._file_of(spec), reporter), reporter)

    # Doing -------------------------------------------------------------------------------------------------------

    def perform(
        self, spec: BuildSpec, reporter: Reporter, *, stages: Stages | None = None, made_for: str = ""
    ) -> Built:
        """Build in the calling process; the same wish again is answered from the store.

        `made_for` marks an engine that nobody asked for: lists name it, and have it after the others.
        """
        stages = stages or Stages()
        spec = self.resolved(spec)
        build_id = self.id_of(spec)
        attempts = self._attempts(build_id)
        if attempts and not spec.rebuild:
            return Built(record=self.build(attempts[-1]), cached=True)
        variant = self._variants.perform(self._file_of(spec), reporter, stages=stages)
        compiled = self._compile(spec, variant, reporter, stages)
        attempt = len(attempts) + 1
        made = Made(
            id=f"{build_id}-{attempt}" if attempts else build_id,
            spec=spec,
            request=self._request(spec),
            variant=variant,
            compiled=compiled,
            attempt=attempt,
            made_for=made_for,
        )
        return Built(record=self._shelf.keep(made, stages), cached=False)

    def _check_ends(self, spec: BuildSpec) -> None:
        model = self._library.model(spec.variant.model_id)
        if names := passed_through(model.inputs, model.outputs):
            raise UnsupportedRequest(
                f"Output {names[0]!r} is an input of the model as well: the parser would rename that input.",
                remedy="Leave that output out, or pass it through an Identity that writes another name.",
            )

    def _check_shapes(self, spec: BuildSpec) -> None:
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.shapes import check_profiles

        if spec.profiles:
            model = load_model(self._library.model_path(spec.variant.model_id), weights=False)
            check_profiles(model, spec.profiles)

    def _compile(self, spec: BuildSpec, variant: VariantRecord, reporter: Reporter, stages: Stages) -> CompileOutput:
        asked = self._compile_input(spec, variant, reporter)
        compiled = self._context.compiler(spec.backend).build(asked, reporter=reporter)
        stages.add("parse", compiled.parse_seconds)
        stages.add("build", compiled.build_seconds)
        return compiled

    def _compile_input(self, spec: BuildSpec, variant: VariantRecord, reporter: Reporter) -> CompileInput:
        request = self._request(spec)
        return CompileInput(
            onnx_path=self._variants.path(variant.id),
            target=request.target,
            profiles=request.profiles,
            options=request.options,
            rest=rest_of(spec),
            keep=kept_nodes(spec, variant, self._library.graph(variant.model_id)),
            calibration=self._calibration(spec, variant, reporter),
        )

    def _calibration(self, spec: BuildSpec, variant: VariantRecord, reporter: Reporter) -> CalibrationInput | None:
        if not spec.is_implicit:
            return None
        has_cache = spec.variant.has_cache
        return calibration_for(
            spec,
            model=self._variants.path(variant.id),
            data=None if has_cache else self._library.data_path(spec.variant.data_id),
            cache=self._caches.text(spec.variant.data_id) if has_cache else "",
            runner=self._context.runner,
            reporter=reporter,
        )
