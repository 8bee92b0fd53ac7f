"""The build form filled from a build, and what stays of what somebody changed."""

from __future__ import annotations

import io

import pytest

from tests import models
from tests.pages.conftest import findings, open_expanders, scroll_to
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.precision import KeepRule, Precision, Recipe
from trt_core.domain.profiles import profile_from_texts
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter


@pytest.fixture
def made(bench, mlp):
    """A build that differs from what the form begins with in every part."""
    keep = (KeepRule(node="second", precision=Precision.FP32),)
    spec = BuildSpec(
        variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.BF16, normalize=False, keep=keep)),
        target=Sm(major=12, minor=0),
        profiles=(profile_from_texts(["x=2x8:4x8:16x8"]), profile_from_texts(["x=1x8"])),
        options=BuilderOptions(workspace_mb=256),
    )
    return bench.builds.perform(spec, CollectingReporter()).record


def held(app, model_id: str) -> dict[str, object]:
    numbers = [
        [app.number_input(key=f"build.{model_id}.profile.{number}.0.{word}").value for word in ("min", "opt", "max")]
        for number in app.session_state[f"build.{model_id}.profiles"]
    ]
    return {
        "precision": app.session_state["build.wanted"],
        "keep": app.multiselect(key=f"build.{model_id}.keep").value,
        "normalize": app.toggle(key="build.normalize").value,
        "target": app.selectbox(key="build.target").value,
        "profiles": numbers,
        "workspace": app.number_input(key="build.workspace").value,
    }


WHOLE = {
    "precision": "bf16",
    "keep": ["second"],
    "normalize": False,
    "target": 120,
    "profiles": [[2, 4, 16], [1, 1, 1]],
    "workspace": 256,
}


def test_a_link_to_a_build_opens_the_form_with_what_it_was_made_of(open_page, mlp, made):
    app = open_page("build", model=mlp.id, build=made.id)
    assert held(app, mlp.id) == WHOLE
    assert not app.warning
    assert any("The store has this engine" in item.value for item in app.success)


def test_what_somebody_changes_stays_until_they_ask_for_the_build_again(open_page, mlp, made):
    app = open_page("build", model=mlp.id, build=made.id)
    app.toggle(key="build.normalize").set_value(True).run()
    app.number_input(key=f"build.{mlp.id}.profile.1.0.max").set_value(32).run()
    app.button(key="build.precision.fp16").click().run()
    app.selectbox(key="build.target").set_value(89).run()
    app.run()
    changed = held(app, mlp.id)
    assert (changed["normalize"], changed["precision"], changed["target"]) == (True, "fp16", 89)
    assert changed["profiles"] == [[2, 4, 32], [1, 1, 1]]

    scroll_to(app, "build.result")
    app.button(key="build.again").click().run()
    assert not app.exception
    assert held(app, mlp.id) == WHOLE


def test_a_target_in_the_address_is_somebodys_choice(open_page, mlp, made):
    app = open_page("build", model=mlp.id, build=made.id, target="89")
    assert held(app, mlp.id) == WHOLE | {"target": 89}


def test_a_form_without_a_build_begins_as_it_did(open_page, mlp, made):
    app = open_page("build", model=mlp.id)
    assert not app.session_state["build.options"]
    open_expanders(app, "build.options")
    assert app.toggle(key="build.normalize").value
    assert app.number_input(key="build.workspace").value is None
    assert "build.wanted" not in app.session_state


def test_a_model_with_a_gru_begins_with_an_open_batch(open_page, bench):
    gru = bench.library.add_upload({"gru.onnx": io.BytesIO(models.recurrent().SerializeToString())})
    app = open_page("build", model=gru.id)
    row = [app.number_input(key=f"build.{gru.id}.profile.1.0.{word}").value for word in ("min", "opt", "max")]
    assert row == [1, 1, 8]
    assert any("batch from 1 to 8" in said for said in findings(app))
    app.number_input(key=f"build.{gru.id}.profile.1.0.max").set_value(1).run()
    assert any("batch of exactly 1 in an optimization profile" in said for said in findings(app))
