from __future__ import annotations

import json
import threading
import time

import plotly.graph_objects as go
import pytest

from pages.ui.chart import figure_text
from pages.ui.once import figure_once, once


class Value:
    """Something whose equals are not the same."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value)

    def __hash__(self) -> int:
        return 1


def test_the_same_arguments_give_the_same_object():
    @once(4)
    def pair(value, label, *, chosen=None):
        return [value, label, chosen]

    value = Value()

    assert pair(value, "a", chosen=1) is pair(value, "a", chosen=1)
    assert pair(value, "a", chosen=1) is not pair(value, "a", chosen=2)
    assert pair(value, "a") is not pair(value, "b")


def test_an_equal_object_that_is_another_one_is_asked_anew():
    made = once(4)(lambda value: [value])

    assert made(Value()) is not made(Value())


def test_a_number_is_not_taken_for_a_truth_value():
    made = once(4)(lambda value: [value])

    assert made(1) == [1]
    assert made(True)[0] is True


def test_only_the_results_used_last_are_kept():
    calls = []
    made = once(2)(calls.append)
    for value in (1, 2, 1, 3, 1, 2):
        made(value)

    assert calls == [1, 2, 3, 2]


def test_readers_who_come_at_once_share_one_making():
    calls = []

    @once(4)
    def slow(value):
        calls.append(value)
        time.sleep(0.1)
        return [value]

    threads = [threading.Thread(target=slow, args=(1,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert calls == [1]


def test_a_failure_is_not_kept():
    calls = []

    @once(4)
    def fails_first(value):
        calls.append(value)
        if len(calls) == 1:
            raise ValueError("once")
        return value

    with pytest.raises(ValueError, match="once"):
        fails_first(1)

    assert fails_first(1) == 1


def test_a_figure_gives_its_text_again_without_making_it():
    @figure_once(4)
    def chart(value):
        return go.Figure(go.Bar(x=[1, 2], y=[value, 3]))

    given = figure_text(chart(5))

    assert json.loads(given) == json.loads(go.Figure(go.Bar(x=[1, 2], y=[5, 3])).to_json())
    assert figure_text(chart(5)) is given
    assert figure_text(chart(6)) != given
    assert go.Figure(chart(5)).to_dict() == go.Figure(go.Bar(x=[1, 2], y=[5, 3])).to_dict()
