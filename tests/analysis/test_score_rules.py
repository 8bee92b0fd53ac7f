"""What is said of scores that do not mean what a verdict takes them for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trt_core.analysis.dependence import dependence_findings
from trt_core.analysis.judge import judge
from trt_core.analysis.score_rules import score_findings
from trt_core.analysis.validation import compared
from trt_core.domain.validation import Verdict
from trt_core.errors import InvalidData

ERRORS = np.linspace(0.1, 0.3, 200, dtype=np.float32)


def rules(measured):
    return [item.rule for item in score_findings(measured, judge(measured, 0.005))]


def test_an_own_metric_that_rises_a_lot_is_asked_whether_it_is_an_error():
    assert rules(compared("mae", ERRORS, ERRORS * 2)) == ["larger-is-taken-for-better"]


@pytest.mark.parametrize("factor", [1.0, 1.004, 0.5])
def test_an_own_metric_that_stays_or_falls_is_taken_as_it_is(factor):
    assert rules(compared("iou", ERRORS, ERRORS * np.float32(factor))) == []


def test_a_built_in_metric_that_rises_is_no_error():
    wrong_before = np.repeat([0.0, 1.0], 100).astype(np.float32)

    assert rules(compared("top1", wrong_before, np.ones(200, np.float32))) == []


@pytest.mark.parametrize(("majority", "said"), [(0.5, ["model-guesses"]), (0.49, []), (None, [])])
def test_a_model_that_is_no_better_than_the_most_frequent_class_guesses(majority, said):
    right = np.repeat([0.0, 1.0], 100).astype(np.float32)

    assert rules(replace(compared("top1", right, right), majority=majority)) == said


@pytest.mark.parametrize("majority", [0.3, None])
def test_a_model_that_is_never_right_is_said_to_score_nothing_in_place_of_guessing(majority):
    wrong = np.zeros(200, np.float32)
    found = replace(compared("top1", wrong, 1 - wrong), majority=majority)

    assert rules(found) == ["baseline-scores-nothing"]
    assert dependence_findings(found, judge(found, 0.005)) == ()


def test_a_score_of_the_candidate_that_is_not_finite_makes_it_worse():
    spoiled = ERRORS.copy()
    spoiled[7] = np.nan
    found = compared("iou", ERRORS, spoiled)

    judged = judge(found, 0.005)

    assert judged.verdict is Verdict.WORSE
    assert (judged.candidate, judged.relative_drop) == (-np.inf, np.inf)


def test_a_score_of_the_model_that_is_not_finite_is_refused_with_its_sample():
    spoiled = ERRORS.copy()
    spoiled[7] = np.nan

    with pytest.raises(InvalidData, match="itself nan on sample 7"):
        compared("iou", spoiled, ERRORS)


def test_scores_of_which_no_relative_drop_can_be_told_are_refused():
    with pytest.raises(InvalidData, match="above zero"):
        compared("log", -ERRORS, -ERRORS)
