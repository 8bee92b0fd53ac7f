"""A verdict is given only where the samples decide, and can be given again for another tolerance."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from trt_core.analysis.dependence import dependence_findings
from trt_core.analysis.judge import count_bounds, group_bounds, judge
from trt_core.analysis.paired import BETA, binomial_floor
from trt_core.analysis.validation import compared
from trt_core.cli.judging import verdict_sentence
from trt_core.domain.findings import Severity
from trt_core.domain.validation import GroupCounts, Measured, PairCounts, ScoreSums, Verdict


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


@pytest.mark.parametrize(
    ("counts", "copies", "tolerance", "bounds", "needed"),
    [
        ((2044, 991, 71, 60), 0, 0.01, (-0.01118954667, 0.03331458202), 6_070_506),
        ((121, 96, 7, 6), 0, 0.01, (-0.09033120743, 0.11238570752), 5_201_558),
        ((1993, 1992, 1, 0), 0, 0.001, (-0.00220295393, 0.00317546841), 18_879),
        ((11772, 521, 743, 802), 12, 0.01, (-0.36259540087, 0.22963440329), 147_316),
        ((4080, 3900, 24, 12), 12, 0.005, (-0.01702638992, 0.02324151045), 144_502),
    ],
)
def test_a_verdict_that_cannot_be_given_takes_no_time_and_names_the_samples(
    counts: tuple[int, int, int, int], copies: int, tolerance: float, bounds: tuple[float, float], needed: int
):
    """The figures are those of bisecting every bound to the end, at 1.1 times the samples again and again: 17 s."""
    samples, both, lost, gained = counts
    grouped = None
    if copies:
        grouped = GroupCounts(groups=samples // copies, both=both / copies, lost=lost / copies, gained=gained / copies)
    found = Measured(
        metric="top1",
        value=(both + gained) / samples,
        baseline=(both + lost) / samples,
        counts=PairCounts(samples=samples, both=both, lost=lost, gained=gained),
        grouped=grouped,
    )

    began = time.process_time()
    verdict = judge(found, tolerance)
    seconds = time.process_time() - began

    assert (verdict.low, verdict.high) == pytest.approx(bounds, rel=1e-8)
    assert (verdict.verdict, verdict.samples_needed) == (Verdict.TOO_FEW, needed)
    assert seconds < 0.5


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


@pytest.mark.parametrize("gained", [0, 1, 40])
@pytest.mark.parametrize("copies", [0, 2])
def test_of_a_baseline_that_scores_nothing_no_drop_can_be_told(gained: int, copies: int):
    groups = GroupCounts(groups=20, both=0.0, lost=0.0, gained=gained / copies) if copies else None
    found = judge(replace(measured(40, 0, gained, wrong=40 - gained), grouped=groups, by_groups=False), 0.005)

    assert (found.verdict, found.baseline) == (Verdict.TOO_FEW, 0.0)
    assert (found.relative_drop, found.low, found.high, found.samples_needed) == (None, None, None, None)
    assert not found.within_by_estimate
    assert "scores nothing" in verdict_sentence(found)


@pytest.mark.parametrize(
    ("samples", "lost", "gained", "wrong"), [(1, 0, 0, 0), (1, 1, 0, 0), (6, 1, 1, 3), (3, 3, 0, 0)]
)
def test_no_bound_lies_beyond_what_is_possible(samples: int, lost: int, gained: int, wrong: int):
    counts = measured(samples, lost, gained, wrong=wrong).counts
    low, high = count_bounds(counts)
    least = binomial_floor(counts.both + counts.lost, samples, BETA)

    assert 1.0 - 1.0 / least <= low < high == 1.0


def test_of_one_sample_the_lower_bound_is_called_beyond_doubling():
    said = verdict_sentence(judge(measured(1, 0, 0), 0.005))

    assert "bounds below -100.00% and 100.00%" in said


@pytest.mark.parametrize(("value", "floor", "verdict"), [(31.0, 30.0, "not worse"), (29.0, 30.0, "worse")])
def test_sqnr_is_held_against_a_floor(value: float, floor: float, verdict: str):
    found = judge(Measured(metric="sqnr", value=value), floor)

    assert found.verdict.value == verdict
    assert found.relative_drop is None


def test_scores_between_right_and_wrong_get_a_bound_on_their_mean():
    sums = ScoreSums(
        samples=1000, baseline=800.0, candidate=798.0, baseline_squares=650.0, candidate_squares=647.5, products=648.5
    )

    found = judge(Measured(metric="iou", value=0.798, baseline=0.8, sums=sums), 0.02)

    assert found.verdict is Verdict.NOT_WORSE
    assert found.low < 0.0025 < found.high
    assert "normal" in found.method


def scored(*differences: float) -> Measured:
    """Scores about 0.8 and what a candidate loses of them, sample after sample."""
    lost = np.asarray(differences)
    baseline = 0.8 + 0.01 * np.cos(np.arange(lost.size))
    return compared("iou", baseline, baseline - lost)


@pytest.mark.parametrize("lost", [0.0, 0.001, 0.4, 0.8, 40.0])
def test_one_score_proves_nothing_and_has_no_bounds(lost: float):
    found = judge(scored(lost), 0.005)

    assert (found.verdict, found.low, found.high) == (Verdict.TOO_FEW, None, None)
    assert "single sample" in found.method
    assert found.samples_needed is None


@pytest.mark.parametrize(("samples", "quantile"), [(2, 6.3138), (5, 2.1318), (6, 2.0150), (21, 1.7247), (31, 1.6973)])
def test_few_scores_get_the_bounds_of_students_t(samples: int, quantile: float):
    lost = 0.01 + 0.002 * np.sin(np.arange(samples))
    found = judge(scored(*lost), 0.5)

    half = quantile * lost.std(ddof=1) / np.sqrt(samples) / found.baseline
    assert found.high - found.relative_drop == pytest.approx(half, rel=1e-4)
    assert found.relative_drop - found.low == pytest.approx(half, rel=1e-4)


def test_ninety_five_of_a_hundred_bounds_on_four_scores_hold():
    rows = np.random.default_rng(5).normal(0.01, 0.004, (2000, 4))
    found = [judge(scored(*row), 0.5) for row in rows]

    assert 0.03 < np.mean([one.high < 0.01 / one.baseline for one in found]) < 0.07


@pytest.mark.parametrize(
    ("samples", "verdict"), [(2, "too few"), (30, "too few"), (597, "too few"), (598, "not worse")]
)
def test_scores_that_all_stay_prove_what_as_many_right_answers_would(samples: int, verdict: str):
    found = judge(scored(*[0.0] * samples), 0.005)

    assert found.verdict.value.startswith(verdict)
    assert found.low < 0.0 < found.high
    assert "differ alike" in found.method


@pytest.mark.parametrize(("samples", "verdict"), [(2, Verdict.TOO_FEW), (20, Verdict.TOO_FEW), (200, Verdict.WORSE)])
def test_scores_that_all_lose_the_same_are_worse_once_there_are_enough(samples: int, verdict: Verdict):
    assert judge(scored(*[0.04] * samples), 0.005).verdict is verdict


def test_the_number_of_scores_that_it_would_take_is_enough():
    lost = 0.003 + 0.01 * np.sin(np.arange(40))
    found = judge(scored(*lost), 0.005)
    more = -(-found.samples_needed // 40)

    assert found.verdict is Verdict.TOO_FEW
    assert judge(scored(*np.tile(lost, more)), 0.005).verdict is Verdict.NOT_WORSE


def test_a_single_score_that_is_not_finite_is_worse_all_the_same():
    assert judge(scored(np.inf), 0.005).verdict is Verdict.WORSE


def repeated(lost: int, gained: int, originals: int, copies: int) -> Measured:
    """Whole originals that flip, each in all its copies."""
    baseline, candidate = np.ones(originals, np.float32), np.ones(originals, np.float32)
    candidate[:lost] = 0.0
    baseline[lost : lost + gained] = 0.0
    groups = np.repeat(np.arange(originals), copies)
    return compared("top1", baseline.repeat(copies), candidate.repeat(copies), groups)


def test_copies_of_a_sample_add_nothing_to_what_it_proves():
    once, often = (judge(repeated(3, 1, 600, copies), 0.005) for copies in (1, 12))

    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert "600 groups" in often.method


def test_taking_copies_for_independent_would_prove_too_much():
    grouped = repeated(2, 0, 600, 12)
    alone = Measured(metric="top1", value=grouped.value, baseline=grouped.baseline, counts=grouped.counts)

    assert judge(grouped, 0.005).verdict is Verdict.TOO_FEW
    assert judge(alone, 0.005).verdict is Verdict.NOT_WORSE
    assert judge(grouped, 0.005).samples_needed > 7200


def test_bounds_on_groups_hold_when_samples_flip_with_their_group():
    """Tables of 60 groups of 4 with a drop of 9 %: a 95 % limit below it may come in one of twenty, and by chance."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 4)
    misses = 0
    for _ in range(20):
        lost = rng.random(240) < rng.choice([0.0, 0.9], 60, p=[0.9, 0.1]).repeat(4)
        found = compared("top1", np.ones(240, np.float32), (~lost).astype(np.float32), groups)
        misses += group_bounds(found.grouped)[1] < 0.09
    assert misses <= 3


def test_scores_in_groups_are_judged_on_group_means():
    scores = np.linspace(0.2, 0.9, 50, dtype=np.float32)
    once = compared("iou", scores, scores * 0.999)
    often = compared("iou", scores.repeat(6), scores.repeat(6) * np.float32(0.999), np.repeat(np.arange(50), 6))

    assert judge(often, 0.01).high == pytest.approx(judge(once, 0.01).high, rel=1e-4)
    assert [item.rule for item in dependence_findings(often, judge(often, 0.005))] == ["bounds-count-groups"]
    assert [item.rule for item in dependence_findings(once, judge(once, 0.005))] == ["samples-taken-for-independent"]


def test_a_verdict_that_counts_samples_has_the_bounds_of_its_groups_beside_it():
    grouped = repeated(2, 0, 600, 12)
    by_samples = replace(grouped, by_groups=False)

    found, strict = judge(by_samples, 0.005), judge(grouped, 0.005)

    assert found.verdict is judge(replace(grouped, grouped=None, groups=None), 0.005).verdict is Verdict.NOT_WORSE
    assert (found.by_groups.verdict, found.by_groups.groups) == (Verdict.TOO_FEW, 600)
    assert (found.by_groups.low, found.by_groups.high) == (strict.low, strict.high)
    assert found.by_groups.groups_needed == pytest.approx(strict.samples_needed / 12, abs=1)
    assert strict.by_groups is None
    (said,) = dependence_findings(by_samples, found)
    assert said.rule == "verdict-counts-samples"
    assert said.severity is Severity.WARNING
    assert "600 groups" in said.message


def test_where_samples_and_groups_agree_the_finding_is_a_note():
    agreed = replace(repeated(0, 0, 5000, 2), by_groups=False)
    (said,) = dependence_findings(agreed, judge(agreed, 0.005))
    assert said.severity is Severity.NOTE
