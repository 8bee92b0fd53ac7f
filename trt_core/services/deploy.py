"""From a stored build to files for production."""

from __future__ import annotations

import importlib.metadata
import io
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from trt_core.deploy.batching import batching_of
from trt_core.deploy.bundles import bundle_files, bundle_findings
from trt_core.deploy.headers import read_header
from trt_core.deploy.names import checked_kubernetes_name, checked_triton_name, kubernetes_name, tag_of, triton_name
from trt_core.deploy.order import Order
from trt_core.deploy.passport import passport_of, will_it_load
from trt_core.deploy.targets import home_of, named_target, with_image
from trt_core.deploy.topologies import Topology, topologies
from trt_core.domain.artifacts import ArtifactKind, BuildRecord
from trt_core.domain.deployment import Bundle, DeployWish, GeneratedFile
from trt_core.domain.engine import EngineRecord
from trt_core.domain.latency import LatencySummary
from trt_core.domain.passport import LoadAnswer, Passport, PlanHeader, Target
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import InvalidInput
from trt_core.services.builds import Builds
from trt_core.services.calibration_caches import cache_of_build
from trt_core.services.context import Context
from trt_core.services.latency import Latencies
from trt_core.services.library import Library
from trt_core.services.recorded import recorded_sample
from trt_core.services.sweeps import Sweeps
from trt_core.services.variants import Variants

_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same bundle is the same zip


class Deployments:
    """Passports, answers, and bundles."""

    def __init__(
        self, context: Context, library: Library, variants: Variants, builds: Builds, latency: Latencies
    ) -> None:
        self._context = context
        self._library = library
        self._variants = variants
        self._builds = builds
        self._latency = latency

    def passport(self, build_id: str) -> Passport:
        """The passport of a build; its plan is read no further than the header."""
        return self._passport(build_id, self._builds.engine_record(build_id))

    def _passport(self, build_id: str, record: EngineRecord) -> Passport:
        build = self._builds.build(build_id)
        header: PlanHeader | None
        try:
            header = read_header(self._builds.engine_path(build_id))
        except InvalidInput:
            header = None
        passport = passport_of(build, self._library.model(build.model_id), record, header)
        if passport.backend == "rtx" and not passport.cuda:
            return replace(passport, cuda=_cuda_of_rtx(build.backend_version))
        return passport

    def foreign_header(self, path: Path) -> PlanHeader:
        """What the header of an engine from elsewhere says; the engine is never deserialized."""
        return read_header(path)

    def tag(self, build_id: str) -> str:
        """`model_trt8.6_cuda12_sm90_fp16`."""
        # Without the record of the engine's layers, which is large and not in the tag.
        return tag_of(self._passport(build_id, EngineRecord(layers=())))

    def target(self, wish: DeployWish, passport: Passport) -> Target:
        """The place that the wish names, else where the engine belongs."""
        if not wish.names_a_target:
            return home_of(passport)
        if wish.triton or wish.tensorrt:
            named = named_target(triton=wish.triton, tensorrt=wish.tensorrt, gpu_name=wish.gpu)
            named = named if wish.triton else with_image(named)
        else:
            gpu = named_target(gpu_name=wish.gpu)
            named = replace(home_of(passport), sm=gpu.sm, gpu=gpu.gpu)
            named = replace(named, name=f"Triton {named.triton} on {gpu.gpu}")
        if named.sm is None and passport.targets:
            return replace(named, sm=passport.targets[0], gpu=passport.gpu)
        return named

    def target_of_home(self, passport: Passport) -> Target:
        """Where the engine belongs when nobody names a place."""
        return home_of(passport)

    def named(self, passport: Passport, *, triton: str, gpu: str = "") -> Target:
        """A Triton release on a GPU; without one, on the engine's own."""
        return self.target(DeployWish(build_id=passport.build_id, triton=triton, gpu=gpu), passport)

    def will_it_load(self, build_id: str, target: Target) -> LoadAnswer:
        """Whether the engine loads there, by the rule that decides."""
        return will_it_load(self.passport(build_id), target)

    def topologies(self, build_id: str) -> tuple[Topology, ...]:
        """The ways to run this engine, with what speaks against each."""
        passport = self.passport(build_id)
        return topologies(passport, batching_of(passport).largest)

    def measured(self, build_id: str) -> tuple[tuple[str, LatencySummary], ...]:
        """(label, summary) of the latency runs of the build's model: the user's own numbers."""
        return self._measured(self._builds.build(build_id))

    def bundle(self, wish: DeployWish) -> Bundle:
        """The files of a wish; InvalidInput for what the engine or the target cannot do."""
        order, findings = self._order(wish)
        return Bundle(
            files=tuple(sorted(bundle_files(order), key=lambda item: item.path)),
            passport=order.passport,
            target=order.target,
            answer=order.answer,
            tag=order.tag,
            findings=(*bundle_findings(order), *findings),
        )

    def _order(self, wish: DeployWish) -> tuple[Order, tuple[Any, ...]]:
        build = self._builds.build(wish.build_id)
        passport = self.passport(wish.build_id)
        target = self.target(wish, passport)
        answer = will_it_load(passport, target)
        name = checked_triton_name(wish.name) if wish.name else triton_name(passport.name)
        given = wish.name if wish.to == "kubernetes" else ""
        label = checked_kubernetes_name(given) if given else kubernetes_name(name)
        variant = self._variants.path(build.request.variant_id)
        data = variant.with_name(variant.name + ".data")
        calibration = cache_of_build(self._context.store, build.id)
        order = Order(
            passport=passport,
            target=target,
            wish=wish,
            answer=answer,
            name=name,
            label=label,
            tag=tag_of(passport),
            spec=spec_of(build, has_cache=calibration is not None),
            plan=self._builds.engine_path(build.id) if answer.loads and passport.backend == "tensorrt" else None,
            variant=variant,
            variant_data=data if data.exists() else None,
            implicit=build.request.calibrated is not None,
            calibration=calibration,
            sweep=self._sweep(build),
            measured=self._measured(build),
        )
        recording = recorded_sample(
            order, self._library, self._context.runner, self._library.model_path(build.model_id), build.model_id
        )
        return replace(order, recorded=recording.arrays, recorded_names=recording.names), recording.findings

    def _measured(self, build: BuildRecord) -> tuple[tuple[str, LatencySummary], ...]:
        heads = self._latency.heads(build.model_id)[:20]
        return tuple((head.label, self._latency.summary(head.id)) for head in heads)

    def _sweep(self, build: BuildRecord) -> tuple[tuple[int, float], ...]:
        """Measured on this engine only: what another runtime likes says nothing about it."""
        best: dict[int, float] = {}
        sweeps = Sweeps(self._context, self._library, self._latency)
        for sweep in sweeps.heads(build.model_id):
            if sweep.spec.subject_id == build.id:
                for point in sweeps.sweep(sweep.id).points:
                    if point.summary is not None and not point.setting.shapes:
                        rate = point.summary.throughput_per_s
                        best[point.setting.batch] = max(rate, best.get(point.setting.batch, 0.0))
        for head in self._latency.heads(build.model_id):
            if head.subject_id == build.id:
                rate = self._latency.summary(head.id).throughput_per_s
                best[head.conditions.batch] = max(rate, best.get(head.conditions.batch, 0.0))
        return tuple(sorted(best.items()))


def _cuda_of_rtx(version: str) -> str:
    """The CUDA that the TensorRT-RTX libraries of that version are for, by their package; empty without it."""
    for cuda in ("12", "13"):
        try:
            if importlib.metadata.version(f"tensorrt_rtx_cu{cuda}_libs") == version:
                return cuda
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def spec_of(build: BuildRecord, *, has_cache: bool = False) -> BuildSpec:
    """The wish that made a build, as far as its record tells; one that would take its calibration cache, if it has."""
    kind = ArtifactKind.CACHE if has_cache else ArtifactKind.DATA
    data_id = f"{kind.value}-{build.recipe.data_sha256[:12]}" if build.recipe.data_sha256 else ""
    return BuildSpec(
        variant=QuantizeSpec(model_id=build.model_id, recipe=build.recipe, data_id=data_id or "n-unknown"),
        backend=build.request.backend,
        target=build.request.target,
        profiles=build.request.profiles,
        options=build.request.options,
    )


def write_bundle(bundle: Bundle, folder: Path) -> list[Path]:
    """Write the files under a folder that is made; InvalidInput when one of them is there already."""
    wanted = [(item, _inside(folder, item.path)) for item in bundle.files]
    taken = next((path for _, path in wanted if path.exists()), None)
    if taken is not None:
        raise InvalidInput(f"{str(taken)!r} is there already.", remedy="Give an empty folder with -o.")
    for item, path in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(item))
        path.chmod(0o755 if item.executable else 0o644)
    return [path for _, path in wanted]


def zipped(bundle: Bundle) -> bytes:
    """The files as one zip under a folder named by the tag; the same bundle gives the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in bundle.files:
            entry = zipfile.ZipInfo(f"{bundle.tag}/{item.path}", _MOMENT)
            entry.external_attr = (0o755 if item.executable else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _content(item))
    return target.getvalue()


def _content(item: GeneratedFile) -> bytes:
    return item.content if item.source is None else item.source.read_bytes()


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise ValueError(f"generated file name {name!r} leaves its folder")
    return folder.joinpath(*parts)
