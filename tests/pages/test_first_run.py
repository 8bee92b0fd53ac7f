"""What a page's pickers begin with is in the address before anything is drawn: a page runs once."""

from __future__ import annotations

import io

import pytest

from pages.ui import frame
from tests import models
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter


@pytest.fixture
def runs(monkeypatch):
    """The pages that ran, one entry a run."""
    ran, begin = [], frame.keep_to_asked
    monkeypatch.setattr(frame, "keep_to_asked", lambda page: (ran.append(page), begin(page)))
    return ran


@pytest.fixture
def build(bench, mlp):
    spec = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP32)))
    return bench.builds.perform(spec, CollectingReporter()).record


@pytest.mark.parametrize(
    "page", ["models", "support", "build", "latency", "sweeps", "divergence", "triage", "fusion", "deploy"]
)
def test_a_page_without_a_selection_runs_once_and_shows_what_it_chose(open_page, mlp, build, runs, page):
    app = open_page(page)
    assert runs == [page]
    assert app.query_params["model"] == [mlp.id] or app.query_params["model"] == mlp.id
    (chips,) = (item.proto.body for item in app.get("html") if 'class="chips"' in item.proto.body)
    assert "<span>model <code>" in chips
    assert ("<span>build <code>" in chips) == (page in ("fusion", "deploy"))


def test_a_link_to_a_build_alone_opens_its_model(open_page, bench, mlp, build, runs):
    newer = bench.library.add_upload({"newer.onnx": io.BytesIO(models.conv_block().SerializeToString())})
    app = open_page("fusion", build=build.id)
    assert newer.id != mlp.id
    assert app.selectbox(key="fusion.model").value == mlp.id
    assert app.selectbox(key="fusion.build").value == build.id
    assert runs == ["fusion"]


def test_an_empty_workspace_has_nothing_to_settle(open_page, bench, runs):
    assert "model" not in open_page("fusion").query_params
    assert runs == ["fusion"]
