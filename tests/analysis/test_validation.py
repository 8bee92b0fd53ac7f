"""Metrics count what they say, and refuse labels that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.top_k import class_outputs, top_k
from trt_core.analysis.validation import LabelScores, OutputErrors, compared
from trt_core.errors import InvalidData

LOGITS = np.array([[0.1, 0.9, 0.5], [0.9, 0.1, 0.5], [0.2, 0.3, 0.9]], np.float32)


def test_top1_is_argmax():
    assert top_k(1)({"y": LOGITS}, np.array([1, 2, 2])).tolist() == [1, 0, 1]


def test_top2_takes_the_second_place_too():
    assert top_k(2)({"y": LOGITS}, np.array([2, 2, 0])).tolist() == [1, 1, 0]


def test_a_tie_goes_to_the_first_class_as_argmax_has_it():
    tied = np.zeros((2, 3), np.float32)

    assert top_k(1)({"y": tied}, np.array([0, 1])).tolist() == [1, 0]


def test_a_row_that_holds_nan_is_wrong():
    assert top_k(1)({"y": np.full((1, 3), np.nan, np.float32)}, np.array([0])).tolist() == [0]


@pytest.mark.parametrize("labels", [np.array([3, 0, 0]), np.array([-1, 0, 0]), np.array([0.0, 1.0, 2.0])])
def test_labels_that_are_no_classes_of_the_output_are_refused(labels):
    with pytest.raises(InvalidData):
        top_k(1)({"y": LOGITS}, labels)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_outside_the_classes_is_named_with_its_sample_in_the_whole_data(label):
    labels = np.array([0, 1, 2, 0, 1, label])
    scores = LabelScores(labels, top_k(1))
    scores.add({"x": LOGITS}, {"y": LOGITS})

    with pytest.raises(InvalidData, match=rf"The label {label} of sample 5 is outside 0\.\.2") as caught:
        scores.add({"x": LOGITS}, {"y": LOGITS})
    assert type(caught.value) is InvalidData  # a job's error is known by its class


def test_an_output_without_classes_is_refused():
    with pytest.raises(InvalidData, match="samples, classes"):
        top_k(1)({"y": np.zeros((3, 1), np.float32)}, np.array([0, 0, 0]))


def test_of_several_outputs_the_one_named_is_scored_and_the_first_otherwise():
    heads = {"mask": np.zeros((3, 4, 2)), "y": LOGITS, "z": -LOGITS[:, :, None]}
    truth = LOGITS.argmax(axis=1)

    assert top_k(1)(heads, truth).tolist() == top_k(1, "y")(heads, truth).tolist() == [1, 1, 1]
    assert top_k(1, "z")(heads, truth).tolist() == [0, 0, 0]
    with pytest.raises(InvalidData, match="'mask' does not have the shape"):
        top_k(1, "mask")(heads, truth)


def test_outputs_without_samples_or_axes_are_no_classes():
    outputs = {"boxes": np.zeros((0, 4, 2)), "count": np.zeros(()), "y": LOGITS[:, :, None, None]}

    assert list(class_outputs(outputs)) == ["y"]


def test_a_named_output_is_the_only_one_that_is_compared():
    kept = {"y": LOGITS, "z": LOGITS}
    found = []
    for output in ("", "y"):
        errors = OutputErrors("cosine", [kept], output)
        errors.add({"x": LOGITS}, {"y": LOGITS, "z": -LOGITS})
        found.append(errors.result().value)

    assert found == [pytest.approx(-1.0), pytest.approx(1.0)]


@pytest.mark.parametrize(("metric", "worst"), [("sqnr", -np.inf), ("cosine", 0.0)])
@pytest.mark.parametrize("spoiled", [1, 9])
def test_outputs_that_are_not_finite_stay_below_every_floor(metric, worst, spoiled):
    kept = {"y": LOGITS}
    given = LOGITS.copy()
    given.flat[:spoiled] = np.nan
    errors = OutputErrors(metric, [kept])

    errors.add({"x": LOGITS}, {"y": given})

    assert errors.result().value == worst


def test_right_and_wrong_become_counts():
    found = compared("top1", np.array([1, 1, 0, 0], np.float32), np.array([1, 0, 1, 0], np.float32))

    assert (found.counts.both, found.counts.lost, found.counts.gained) == (1, 1, 1)
    assert found.value == found.baseline == 0.5


def test_other_scores_become_sums():
    found = compared("iou", np.array([0.5, 1.0], np.float32), np.array([0.5, 0.5], np.float32))

    assert found.counts is None
    assert found.sums.products == pytest.approx(0.75)
