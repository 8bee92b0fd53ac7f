"""Latency and accuracy of plans: of those whose engine was built, and measured or validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.latency import LatencyConditions, LatencyRun
from trt_core.domain.plans import kept_precision
from trt_core.domain.precision import KeepRule, Precision, Recipe
from trt_core.domain.triage import TriageRun
from trt_core.services.builds import Builds
from trt_core.services.latency import Latencies
from trt_core.services.validation import Validations


@dataclass(frozen=True, kw_only=True)
class PlanLatency:
    """The latency of the engine of one evaluation's plan; `place` is the evaluation's in its run.

    `rest` is what the engine's layers that are not quantized may run in.
    """

    place: int
    p50_ms: float
    run_id: str
    build_id: str
    conditions: LatencyConditions
    rest: Precision


@dataclass(frozen=True, kw_only=True)
class EngineScores:
    """The metric of TensorRT engines on the samples of a search: in FP32, and of its evaluations by their place."""

    fp32: float | None = None
    plans: Mapping[int, float] = field(default_factory=dict)


class PlanLatencies:
    """Finds measured and validated engines by what they were built of."""

    def __init__(self, builds: Builds, latency: Latencies, validations: Validations) -> None:
        self._builds, self._latency, self._validations = builds, latency, validations

    def of(self, run: TriageRun) -> tuple[PlanLatency, ...]:
        """The newest measurement of each plan that has one, under the conditions that the most plans share.

        Of conditions that hold for equally many plans, those of the newest measurement count.

        A build is a plan's by precision, calibration and the nodes that it keeps. What its rest may run in need not be
        the run's, but is the same for all: it decides the time of every layer that is not quantized.
        """
        wanted = {_key(_recipe(run, place)): place for place in range(len(run.evaluations))}
        groups: list[dict[int, tuple[LatencyRun, Precision]]] = []
        heads = [head for head in self._latency.heads(run.model_id) if head.subject_id[0] == ArtifactKind.BUILD.value]
        for head in heads:  # newest first
            recipe = self._builds.build(head.subject_id).recipe
            place = wanted.get(_key(recipe))
            if place is None:
                continue
            here = head, recipe.rest
            alike = (group for group in groups if _alike(here, next(iter(group.values()))))
            group = next(alike, None)
            if group is None:
                groups.append(group := {})
            group.setdefault(place, here)
        found = max(groups, key=len, default={})
        return tuple(
            PlanLatency(
                place=place,
                p50_ms=self._latency.summary(head.id).p50_ms,
                run_id=head.id,
                build_id=head.subject_id,
                conditions=head.conditions,
                rest=rest,
            )
            for place, (head, rest) in sorted(found.items(), key=lambda item: item[0])
        )

    def scores(self, run: TriageRun) -> EngineScores:
        """What engines of the search's plans scored, run themselves; the newest validation of each counts.

        A validation belongs to the search by metric, samples and the name of their file.
        """
        wanted = {_key(_recipe(run, place)): place for place in range(len(run.evaluations))}
        fp32: float | None = None
        plans: dict[int, float] = {}
        for one in self._validations.runs(run.model_id):  # newest first
            if not one.by_engine or (one.metric, one.samples, one.data) != (run.metric, run.samples, run.data):
                continue
            recipe = self._builds.build(one.build_id).recipe
            place = wanted.get(_key(recipe))
            if place is not None:
                plans.setdefault(place, one.measured.value)
            elif recipe.precision is Precision.FP32 and fp32 is None:
                fp32 = one.measured.value
        return EngineScores(fp32=fp32, plans=plans)


def _recipe(run: TriageRun, place: int) -> Recipe:
    high = kept_precision(run.plan.recipe)
    keep = tuple(KeepRule(node=node, precision=high) for node in run.evaluations[place].kept)
    recipe = run.plan.recipe
    return Recipe(
        precision=recipe.precision,
        method=recipe.method,
        percentile=recipe.percentile,
        keep=keep,
        normalize=recipe.normalize,
        data_sha256=recipe.data_sha256,
        attention=recipe.attention,
    )


def _key(recipe: Recipe) -> tuple[object, ...]:
    kept = frozenset(rule.node for rule in recipe.keep)
    calibration = (recipe.method, recipe.percentile, recipe.data_sha256)
    return recipe.precision, calibration, recipe.normalize, recipe.attention, kept


def _alike(one: tuple[LatencyRun, Precision], other: tuple[LatencyRun, Precision]) -> bool:
    """The same device, library, rest, shapes and way of measuring."""
    first, second = one[0].conditions, other[0].conditions
    return (
        one[1] is other[1]
        and first.device == second.device
        and (first.backend, first.backend_version) == (second.backend, second.backend_version)
        and first.shapes == second.shapes
        and (first.streams, first.cuda_graph, first.includes_transfers)
        == (second.streams, second.cuda_graph, second.includes_transfers)
    )
