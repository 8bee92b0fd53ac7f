"""The search for a mixed-precision plan: rank, bisect, repair; never one evaluation a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from trt_core.analysis.judge import judge
from trt_core.domain.divergence import LayerDivergence, TensorError
from trt_core.domain.plans import make_plan
from trt_core.domain.triage import Evaluation, TriageRun, Unit, UnitSensitivity

PLAIN, CEILING, BISECTION, REPAIR = "plain", "all kept", "bisection", "repair"
Evaluate = Callable[[Sequence[Unit], str], Evaluation]  # the units that are kept, and the step that asks


def rank_units(
    units: Sequence[Unit],
    layers: Sequence[LayerDivergence],
    precision: str,
    halves: Sequence[LayerDivergence] = (),
) -> tuple[UnitSensitivity, ...]:
    """Units by the error that each makes by itself, the strongest first; those without a figure come last.

    To first order the errors that layers make add up at the outputs, each amplified by what follows it. The isolated
    error relative to the signal stands for that: normalization and residual connections keep signals of one magnitude.
    A unit of several nodes is measured where its work leaves it: at the last tensor that survives. `halves` hold the
    isolated errors of only the weights and only the activations.
    """
    by_index = {layer.index: layer for layer in layers}
    half_by_index = {layer.index: layer for layer in halves}
    found = []
    for unit in units:
        isolated = accumulated = weights = activations = None
        for index in unit.indices:
            layer = by_index.get(index)
            if layer is not None:
                isolated = layer.error(precision, isolated=True) or isolated
                accumulated = layer.error(precision) or accumulated
            half = half_by_index.get(index)
            if half is not None:
                weights = half.error("weights", isolated=True) or weights
                activations = half.error("activations", isolated=True) or activations
        found.append(
            UnitSensitivity(
                unit=unit,
                isolated_db=_sqnr(isolated),
                accumulated_db=_sqnr(accumulated),
                weights_db=_sqnr(weights),
                activations_db=_sqnr(activations),
            )
        )
    return tuple(sorted(found, key=lambda item: math.inf if item.isolated_db is None else item.isolated_db))


def _sqnr(error: TensorError | None) -> float | None:
    return None if error is None else error.sqnr_db


@dataclass
class _Search:
    evaluate: Evaluate
    budget: int
    done: list[Evaluation] = field(default_factory=list)
    known: dict[frozenset[str], Evaluation] = field(default_factory=dict)
    proven_only: bool = True

    @property
    def is_spent(self) -> bool:
        return len(self.done) >= self.budget

    def look(self, kept: Sequence[Unit], step: str) -> Evaluation | None:
        """The evaluation of a plan, from memory where it was tried; None when the budget is spent."""
        key = frozenset(unit.node for unit in kept)
        if key not in self.known:
            if self.is_spent:
                return None
            self.known[key] = self.evaluate(kept, step)
            self.done.append(self.known[key])
        return self.known[key]

    def passes(self, one: Evaluation | None) -> bool:
        """Proven within the tolerance; where even the ceiling cannot be proven, within it by the figure."""
        return one is not None and _passes(one, proven_only=self.proven_only)


def search_plan(ranked: Sequence[Unit], evaluate: Evaluate, *, budget: int) -> tuple[tuple[Evaluation, ...], int]:
    """Every evaluation in the order made, and the position of the one to choose.

    1. everything lowered, and everything kept: the ends of the curve. 2. The shortest prefix of the ranking whose
    keeping reaches the tolerance: 1, 2, 4 ... units, then halves between. 3. Repair: units of that prefix are lowered
    again in halves, quarters ... single units, as long as the tolerance holds, because a ranking by single errors does
    not know which of them matter together. Chosen is the plan within the tolerance with most MACs lowered; if none is,
    the one with the best metric.
    """
    search = _Search(evaluate, budget)
    plain = search.look((), PLAIN)
    if plain is not None and plain.judgement.within_tolerance is not True:
        ceiling = search.look(ranked, CEILING)
        search.proven_only = ceiling is not None and ceiling.judgement.within_tolerance is True
        if search.passes(ceiling) and not search.passes(plain):
            kept = _shortest_prefix(search, ranked)
            _repair(search, kept)
    return tuple(search.done), choose(search.done, proven_only=search.proven_only)


def _shortest_prefix(search: _Search, ranked: Sequence[Unit]) -> list[Unit]:
    failing, passing, size = 0, len(ranked), 1
    while size < len(ranked):
        if search.passes(search.look(ranked[:size], BISECTION)):
            passing = size
            break
        failing, size = size, size * 2
    while passing - failing > 1 and not search.is_spent:
        middle = (failing + passing) // 2
        if search.passes(search.look(ranked[:middle], BISECTION)):
            passing = middle
        else:
            failing = middle
    return list(ranked[:passing])


def _repair(search: _Search, kept: list[Unit]) -> None:
    size = max(1, len(kept) // 2)
    while not search.is_spent:
        # From the end: the least suspicious are lowered again first.
        for end in range(len(kept), 0, -size):
            group = kept[max(0, end - size) : end]
            rest = [unit for unit in kept if unit not in group]
            if len(rest) < len(kept) and search.passes(search.look(rest, REPAIR)):
                kept = rest
        if size == 1:
            return
        size //= 2


def choose(evaluations: Sequence[Evaluation], *, proven_only: bool) -> int:
    """The position of the plan within the tolerance with most MACs lowered; without one, of the best metric."""
    passing = [place for place, one in enumerate(evaluations) if _passes(one, proven_only=proven_only)]
    if passing:
        return max(passing, key=lambda place: (evaluations[place].low_share, evaluations[place].metric))
    return max(range(len(evaluations)), key=lambda place: evaluations[place].metric)


def rejudged(run: TriageRun, tolerance: float) -> TriageRun:
    """The same evaluations weighed with another tolerance, and the plan that it chooses; nothing is run again."""
    evaluations = tuple(replace(one, judgement=judge(one.measured, tolerance)) for one in run.evaluations)
    proven = any(one.judgement.within_tolerance is True for one in evaluations)
    judged = replace(run, evaluations=evaluations, tolerance=tolerance)
    return at_point(judged, choose(evaluations, proven_only=proven), how=f"at tolerance {tolerance:g}")


def at_point(run: TriageRun, place: int, *, how: str = "by hand") -> TriageRun:
    """The run with the evaluation at `place` as the chosen one, and its plan."""
    nodes = [entry.node for entry in run.plan.entries]
    plan = make_plan(run.plan.recipe, nodes, run.evaluations[place].kept, made_by=f"triage {run.id} {how}")
    plan = replace(plan, model_name=run.plan.model_name, model_sha256=run.plan.model_sha256)
    return replace(run, chosen=place, plan=plan)


def _passes(one: Evaluation, *, proven_only: bool) -> bool:
    return one.judgement.within_tolerance is True if proven_only else one.judgement.within_by_estimate


def estimated_gains(
    sensitivities: Sequence[UnitSensitivity], measured: dict[str, float]
) -> tuple[UnitSensitivity, ...]:
    """Leave-one-out gains: as measured, or estimated from a unit's share of all isolated noise.

    The estimate spreads the gain of the measured units over the others in proportion to their noise-to-signal ratios:
    to first order, the loss is proportional to the noise. A unit without a finite isolated error gets none.
    """
    noise = {item.unit.node: _noise(item.isolated_db) for item in sensitivities}
    known = sum(noise[node] or 0.0 for node in measured)
    slope = sum(measured.values()) / known if known > 0.0 else 0.0
    found = []
    for item in sensitivities:
        node = item.unit.node
        own = noise[node]
        if node in measured:
            found.append(replace(item, gain=measured[node], is_measured=True))
        else:
            found.append(replace(item, gain=None if own is None or not measured else slope * own))
    return tuple(found)


def _noise(decibel: float | None) -> float | None:
    if decibel is None or decibel == float("-inf"):
        return None
    return float(10.0 ** (-decibel / 10.0))
