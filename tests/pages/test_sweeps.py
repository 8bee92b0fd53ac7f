"""The sweeps page: empty, measured, stopped half-way."""

from __future__ import annotations

import pytest

from pages.ui.sweep_form import numbers
from tests.pages.conftest import cards, charts, words
from trt_core.domain.sweeps import SweepSpec
from trt_core.errors import InvalidInput, JobCancelled
from trt_core.testing import CollectingReporter


def _spec(model, **changes) -> SweepSpec:
    return SweepSpec(
        **{"subject_id": model.id, "batches": (1, 2, 4), "streams": (1, 2), "iterations": 4, "warmup": 1} | changes
    )


def test_a_model_without_a_sweep_offers_one(open_page, mlp):
    app = open_page("sweeps", model=mlp.id)
    assert "press Sweep" in words(app)
    assert not app.button("sweeps.submit").disabled


def test_copies_are_no_choice_where_there_are_none(open_page, mlp):
    app = open_page("sweeps", model=mlp.id)
    assert app.toggle("sweeps.transfers").disabled
    assert "there are no copies to include" in words(app)
    assert "onnxruntime-gpu" in words(app).replace("\\", "")


def test_sizes_that_are_no_numbers_are_refused_before_anything_runs(open_page, mlp):
    app = open_page("sweeps", model=mlp.id)
    app.text_input("sweeps.streams").set_value("two").run()
    assert "is no whole number" in words(app).replace("\\", "")
    assert not [button for button in app.button if button.key == "sweeps.submit"]


def test_the_sweet_spot_is_named_and_the_cost_follows_the_price(open_page, bench, mlp):
    sweep = bench.sweeps.perform(_spec(mlp), CollectingReporter())
    app = open_page("sweeps", model=mlp.id, sweep=sweep.head.id, tab="cost")

    assert "the sweet spot is batch" in words(app)
    assert "ONNX Runtime" in words(app)
    before = cards(app)["A month"][0]
    app.number_input("sweeps.price").set_value(30.0).run()
    after = cards(app)["A month"][0]
    assert before != after

    app.number_input("sweeps.limit").set_value(0.0).run()
    assert "No point keeps" in words(app)


def test_sizes_are_held_against_several_references_one_for_each_static_engine(open_page, bench, mlp):
    sweep = bench.sweeps.perform(_spec(mlp), CollectingReporter())
    static = [bench.sweeps.perform(_spec(mlp, batches=(size,), streams=(1,)), CollectingReporter()) for size in (1, 4)]

    app = open_page("sweeps", model=mlp.id, sweep=sweep.head.id, tab="profile-split")
    assert "Choose sweeps of engines with static shapes" in words(app)
    app.multiselect("sweeps.references").set_value([item.head.id for item in static]).run()

    table = next(item.value for item in app.dataframe if "profile" in item.value.columns)
    ends = {int(size) for row in table["profile"] for size in row.split("–")}
    assert ends == {1, 4}


def test_a_stopped_sweep_shows_its_points_and_offers_to_go_on(open_page, bench, mlp):
    with pytest.raises(JobCancelled):
        bench.sweeps.perform(_spec(mlp), CollectingReporter(cancel_after=8))
    app = open_page("sweeps", model=mlp.id)

    assert "of this sweep are missing" in words(app)
    assert not app.button("sweeps.resume").disabled


@pytest.mark.parametrize(("words_", "expected"), [("1, 2,4", (1, 2, 4)), ("1-4", (1, 2, 3, 4)), ("8,8", (8,))])
def test_numbers_are_read_with_ranges(words_, expected):
    assert numbers(words_) == expected


@pytest.mark.parametrize("wrong", ["", "a", "1,,2", "-1", "1-99999", "1.5", "²"])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(InvalidInput):
        numbers(wrong)


def test_a_dead_sweep_is_told_and_not_answered_with_another(bench, mlp, open_page):
    bench.sweeps.perform(_spec(mlp), CollectingReporter())

    app = open_page("sweeps", model=mlp.id, sweep="w-00000000dead")

    assert "w-00000000dead" in app.error[0].value.replace("\\", "")
    assert app.selectbox(key="sweeps.sweep").value is None
    assert not charts(app)
