"""A verdict is given only where the samples decide, and can be given again for another tolerance."""

from __future__ import annotations

import pytest

from trt_core.analysis.judge import count_bounds, judge
from trt_core.domain.validation import Measured, PairCounts, ScoreSums, Verdict


def measured(samples: int, lost: int, gained: int, *, wrong: int = 0) -> Measured:
    counts = PairCounts(samples=samples, both=samples - lost - gained - wrong, lost=lost, gained=gained)
    return Measured(metric="top1", value=counts.candidate, baseline=counts.baseline, counts=counts)


def test_a_small_loss_on_many_samples_is_not_worse():
    verdict = judge(measured(7764, 12, 8, wrong=400), 0.005)

    assert verdict.verdict is Verdict.NOT_WORSE
    assert verdict.within_tolerance is True
    assert verdict.low < verdict.relative_drop < verdict.high <= 0.005


def test_a_large_loss_is_worse():
    assert judge(measured(7764, 427, 88), 0.005).within_tolerance is False


def test_few_samples_decide_nothing_even_where_nothing_was_lost():
    verdict = judge(measured(200, 0, 0), 0.005)

    assert verdict.verdict is Verdict.TOO_FEW
    assert verdict.within_tolerance is None
    assert verdict.within_by_estimate


def test_the_number_of_samples_that_it_would_take_is_enough():
    verdict = judge(measured(500, 2, 1), 0.005)
    factor = verdict.samples_needed / 500

    again = judge(measured(round(500 * factor), round(2 * factor), round(1 * factor)), 0.005)

    assert again.verdict is Verdict.NOT_WORSE
    assert verdict.samples_needed > 500


def test_a_drop_at_the_tolerance_itself_cannot_be_told_with_any_number():
    assert judge(measured(2000, 10, 0), 0.005).samples_needed is None


def test_another_tolerance_needs_no_other_samples():
    stored = measured(7764, 103, 59)

    verdicts = [judge(stored, tolerance).verdict for tolerance in (0.001, 0.005, 0.02)]

    assert verdicts == [Verdict.WORSE, Verdict.TOO_FEW, Verdict.NOT_WORSE]


def test_the_relative_bound_is_wider_than_the_drop_over_the_measured_accuracy():
    low, high = count_bounds(PairCounts(samples=1000, both=480, lost=20, gained=10))

    assert low < 10 / 500 < high
    assert low < 0.0


def test_a_gain_has_a_negative_bound():
    assert judge(measured(2000, 5, 120, wrong=100), 0.005).high < 0.0


@pytest.mark.parametrize(("value", "floor", "verdict"), [(31.0, 30.0, "not worse"), (29.0, 30.0, "worse")])
def test_sqnr_is_held_against_a_floor(value: float, floor: float, verdict: str):
    found = judge(Measured(metric="sqnr", value=value), floor)

    assert found.verdict.value == verdict
    assert found.relative_drop is None


def test_scores_between_right_and_wrong_get_a_normal_bound():
    sums = ScoreSums(
        samples=1000, baseline=800.0, candidate=798.0, baseline_squares=650.0, candidate_squares=647.5, products=648.5
    )

    found = judge(Measured(metric="iou", value=0.798, baseline=0.8, sums=sums), 0.02)

    assert found.verdict is Verdict.NOT_WORSE
    assert found.low < 0.0025 < found.high
    assert "normal" in found.method
