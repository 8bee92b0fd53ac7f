"""What a wish would cost: what the store has of it already, and how long the rest took before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from trt_core.domain.artifacts import ArtifactKind, BuildRecord
from trt_core.domain.findings import Finding
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.library import Library
from trt_core.services.variants import Variants


@dataclass(frozen=True, kw_only=True)
class BuildOutlook:
    """Before a build: the engine or the variant that the store has, and the seconds to expect (None: no history).

    `findings` are what is known to go wrong with what was asked for.
    """

    stored: BuildRecord | None
    has_variant: bool
    expected_s: float | None
    based_on: str = ""
    findings: tuple[Finding, ...] = ()


class Outlooks:
    """Look ahead, from what the workspace holds."""

    def __init__(self, context: Context, library: Library, builds: Builds, variants: Variants) -> None:
        self._context = context
        self._library = library
        self._builds = builds
        self._variants = variants

    def of_build(self, spec: BuildSpec) -> BuildOutlook:
        """What this build would find and take; the wish must be one that `Builds.check` accepts."""
        resolved = self._builds.resolved(spec)
        expected, based_on = self._expected(resolved)
        return BuildOutlook(
            stored=self._builds.find(spec),
            has_variant=self._variants.find(resolved.variant) is not None,
            expected_s=expected,
            based_on=based_on,
            findings=self.warnings(resolved),
        )

    def warnings(self, spec: BuildSpec) -> tuple[Finding, ...]:
        """What is known of a build before it begins: recurrent nodes whose batch is exactly 1, or was left open."""
        from trt_core.analysis.recurrent_rules import profile_findings

        if not self._context.compiler(spec.backend).capabilities().needs_open_recurrent_batch:
            return ()
        return profile_findings(self._library.graph(spec.variant.model_id), self._builds.resolved(spec).profiles)

    def counterpart(self, build_id: str) -> BuildSpec:
        """The wish of a build with normalization switched the other way, everything else alike."""
        record = self._builds.build(build_id)
        recipe = record.recipe
        data_id = f"{ArtifactKind.DATA.value}-{recipe.data_sha256[:12]}" if recipe.data_sha256 else ""
        other = replace(recipe, normalize=not recipe.normalize)
        return BuildSpec(
            variant=QuantizeSpec(model_id=record.model_id, recipe=other, data_id=data_id),
            backend=record.request.backend,
            target=record.request.target,
            profiles=record.request.profiles,
            options=record.request.options,
        )

    def _expected(self, spec: BuildSpec) -> tuple[float | None, str]:
        """The median over earlier builds of this model, those in the same precision if there are any."""
        earlier = self._builds.builds(spec.variant.model_id)
        precision = spec.variant.recipe.precision
        alike = [item for item in earlier if item.recipe.precision is precision]
        chosen = alike or earlier
        if not chosen:
            return None, ""
        what = f"in {precision.value.upper()}" if alike else "in other precisions"
        plural = "build" if len(chosen) == 1 else "builds"
        seconds = median(sum(taken for _, taken in item.stages) or item.seconds for item in chosen)
        return seconds, f"{len(chosen)} earlier {plural} of this model {what}"
