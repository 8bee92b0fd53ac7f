"""Plans are files: saved, loaded, compared, and carried to another model by node name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from trt_core.domain.plans import (
    RecipeChange,
    apply_plan,
    diff_plans,
    diff_recipes,
    make_plan,
    plan_from_text,
    plan_text,
)
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe
from trt_core.errors import InvalidInput

INT8 = Recipe(precision=Precision.INT8)
PLAN = make_plan(INT8, ["a", "b", "c"], ["b"], model_name="net", model_sha256="0" * 64, made_by="hand")


def test_a_plan_survives_its_file():
    assert plan_from_text(plan_text(PLAN)) == PLAN


def test_kept_nodes_become_rules_in_the_precision_of_the_rest():
    assert PLAN.variant_recipe.keep == (KeepRule(node="b", precision=Precision.FP16),)
    assert make_plan(Recipe(precision=Precision.FP16), ["a"], ["a"]).variant_recipe.keep[0].precision is Precision.FP32


def test_a_retrained_model_gets_the_plan_by_name_and_strangers_are_reported():
    applied = apply_plan(PLAN, ["a", "b", "new"])

    assert applied.plan.kept == ("b",)
    assert applied.unmatched == ("c",)
    assert applied.not_planned == ("new",)


def test_a_difference_names_every_node_that_is_treated_otherwise():
    other = make_plan(INT8, ["a", "b", "d"], ["a", "b"])

    changes = {item.node: (item.before, item.after) for item in diff_plans(PLAN, other)}

    assert changes == {
        "a": (Precision.INT8, Precision.FP16), "d": (None, Precision.INT8), "c": (Precision.INT8, None),
    }  # fmt: skip


def test_plans_of_other_recipes_differ_even_where_they_treat_every_node_alike():
    other = make_plan(replace(INT8, method=CalibrationMethod.MINMAX, percentile=99.0), ["a", "b", "c"], ["b"])

    assert not diff_plans(PLAN, other)
    assert diff_recipes(PLAN, other) == (RecipeChange(field="method", before="entropy", after="minmax"),)
    assert not diff_recipes(PLAN, replace(PLAN, recipe=replace(INT8, data_sha256="1" * 64)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({"format": "enginescope-plan", "version": 9}), "[" * 100_000,
     plan_text(PLAN).replace('"int8"', '"int7"'), plan_text(PLAN).replace('"node": "a"', '"node": "b"')],
)  # fmt: skip
def test_a_file_that_is_no_plan_is_refused(text: str):
    with pytest.raises(InvalidInput):
        plan_from_text(text)
