"""The search finds few guilty layers with few evaluations, and gives back what need not be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from trt_core.analysis.judge import judge
from trt_core.analysis.sensitivity import at_point, estimated_gains, rank_units, rejudged, search_plan
from trt_core.analysis.triage_rules import search_findings, told_again
from trt_core.domain.divergence import LayerDivergence, TensorError
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.plans import make_plan
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.triage import Evaluation, TriageRun, Unit, UnitSensitivity
from trt_core.domain.validation import Measured, PairCounts

SAMPLES = 20_000


def units(count: int) -> list[Unit]:
    return [Unit(node=f"layer{i}", op_type="MatMul", indices=(i,), macs=100) for i in range(count)]


class Net:
    """A net whose loss of samples is the sum of what its guilty layers cost when they are lowered."""

    def __init__(self, everything: Sequence[Unit], costs: dict[str, int], floor: int = 0) -> None:
        self.everything, self.costs, self.floor, self.calls = everything, costs, floor, 0

    def __call__(self, kept: Sequence[Unit], step: str) -> Evaluation:
        self.calls += 1
        stay = {unit.node for unit in kept}
        lost = self.floor + sum(cost for node, cost in self.costs.items() if node not in stay)
        counts = PairCounts(samples=SAMPLES, both=SAMPLES - lost, lost=lost, gained=0)
        measured = Measured(metric="top1", value=counts.candidate, baseline=1.0, counts=counts)
        share = 1.0 - len(stay) / len(self.everything)
        return Evaluation(
            kept=tuple(unit.node for unit in kept), step=step, measured=measured, judgement=judge(measured, 0.005),
            low_share=share, low_share_of_all=share, seconds=0.0,
        )  # fmt: skip


def test_a_plain_variant_that_holds_needs_one_evaluation():
    layers = units(50)

    evaluations, chosen = search_plan(layers, Net(layers, {}), budget=20)

    assert len(evaluations) == 1
    assert chosen == 0


@pytest.mark.parametrize("guilty", [("layer0",), ("layer0", "layer1"), ("layer2",), ("layer5", "layer11")])
def test_only_the_guilty_layers_of_sixty_are_kept_within_twenty_evaluations(guilty: tuple[str, ...]):
    layers = units(60)
    net = Net(layers, dict.fromkeys(guilty, 400))

    evaluations, chosen = search_plan(layers, net, budget=20)

    assert set(guilty) <= set(evaluations[chosen].kept)
    assert len(evaluations[chosen].kept) <= len(guilty) + 2
    assert net.calls == len(evaluations) <= 20


def test_no_plan_is_evaluated_twice():
    layers = units(16)

    evaluations, _ = search_plan(layers, Net(layers, {"layer0": 400, "layer3": 400}), budget=20)

    assert len({frozenset(one.kept) for one in evaluations}) == len(evaluations)


def test_where_nothing_helps_the_best_metric_is_chosen_after_two_evaluations():
    layers = units(16)

    evaluations, chosen = search_plan(layers, Net(layers, {"layer0": 400}, floor=2000), budget=20)

    assert len(evaluations) == 2
    assert evaluations[chosen].step == "all kept"
    assert evaluations[chosen].judgement.within_tolerance is False


def run_of(layers: Sequence[Unit], net: Net) -> TriageRun:
    evaluations, chosen = search_plan(layers, net, budget=20)
    recipe = Recipe(precision=Precision.INT8)
    run = TriageRun(
        id="t-0", model_id="m-0", created_at=0.0, metric="top1", tolerance=0.005, method="", sensitivities=(),
        evaluations=evaluations, chosen=chosen, plan=make_plan(recipe, [unit.node for unit in layers], ()),
        samples=SAMPLES, seconds=0.0,
    )  # fmt: skip
    found = search_findings(evaluations, chosen, metric="top1", tolerance=0.005)
    return replace(run, findings=(*found, Finding(rule="clipping", severity=Severity.NOTE, message="x")))


def rules_of(run: TriageRun) -> set[str]:
    """The rules, without what holds at every tolerance."""
    return {item.rule for item in run.findings} - {"samples-taken-for-independent"}


def test_what_is_said_of_a_search_follows_another_tolerance_and_another_point():
    layers = units(16)
    run = run_of(layers, Net(layers, {"layer0": 400}, floor=2000))
    assert rules_of(run) == {"tolerance-not-reached", "nothing-lowered", "clipping"}

    looser = told_again(run, rejudged(run, 0.5))

    assert rules_of(looser) == {"clipping"}
    assert rules_of(told_again(looser, rejudged(looser, 0.005))) == rules_of(run)
    assert rules_of(told_again(run, at_point(run, 0))) == {"tolerance-not-reached", "clipping"}


def test_a_plan_that_lowers_nodes_without_macs_lowers_something():
    evaluations, chosen = search_plan(units(2), Net(units(2), {}), budget=20)
    without_macs = [replace(one, low_share=0.0) for one in evaluations]

    found = search_findings(without_macs, chosen, metric="top1", tolerance=0.005)

    assert not without_macs[chosen].kept
    assert "nothing-lowered" not in {item.rule for item in found}


def test_a_plan_that_was_picked_out_of_several_on_these_samples_says_so():
    layers = units(16)
    run = run_of(layers, Net(layers, {"layer0": 400, "layer3": 400}))
    assert len(run.evaluations) > 2
    assert "chosen-on-the-same-samples" in rules_of(run)

    harmless = run_of(layers, Net(layers, {}))
    assert len(harmless.evaluations) <= 2
    assert "chosen-on-the-same-samples" not in rules_of(harmless)


def test_the_budget_is_held_even_where_every_layer_is_guilty():
    layers = units(100)

    evaluations, chosen = search_plan(layers, Net(layers, {unit.node: 60 for unit in layers}), budget=8)

    assert len(evaluations) <= 8
    assert evaluations[chosen].judgement.within_tolerance is True


def error(sqnr_db: float) -> TensorError:
    return TensorError(sqnr_db=sqnr_db, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0)


def layer(index: int, isolated: float) -> LayerDivergence:
    alone = (("int8", error(isolated)),)
    return LayerDivergence(
        index=index, name=f"layer{index}", op_type="MatMul", tensor=f"t{index}", accumulated=alone, isolated=alone
    )


def test_units_come_in_order_of_their_isolated_error_and_unknown_ones_last():
    ranked = rank_units(units(4), [layer(0, 40.0), layer(1, 12.0), layer(3, float("-inf"))], "int8")

    assert [item.unit.node for item in ranked] == ["layer3", "layer1", "layer0", "layer2"]
    assert ranked[-1].isolated_db is None


def test_gains_are_measured_or_marked_as_estimates_in_proportion_to_the_noise():
    ranked = [
        UnitSensitivity(unit=unit, isolated_db=db, accumulated_db=None)
        for unit, db in zip(units(3), (10.0, 20.0, None), strict=True)
    ]

    first, second, third = estimated_gains(ranked, {"layer0": 0.02})

    assert (first.gain, first.is_measured) == (0.02, True)
    assert (second.gain, second.is_measured) == (pytest.approx(0.002), False)
    assert third.gain is None
