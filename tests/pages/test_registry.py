"""The registry page: find, decide, let go, take along."""

from __future__ import annotations

import pytest
import streamlit as st

from tests.deploy.stock import add_engine, add_model, profile
from tests.pages.engines import opened, stocked, words
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.registry import EngineState
from trt_core.workbench import workspace_of


@pytest.fixture(autouse=True)
def _fresh_caches():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path / "workspace"))
    return workspace_of(tmp_path / "workspace")


def test_an_empty_registry_says_what_fills_it_and_offers_the_sample_and_then_the_build(bench):
    app = opened("registry")
    assert "There is no model in the workspace yet" in words(app)

    app.button("registry.sample").click().run()

    assert not app.exception
    assert len(bench.library.models()) == 1
    assert not app.button("registry.build_now").disabled


def test_the_only_engine_shows_its_parents(bench):
    model = add_model(bench)
    build = add_engine(bench, model)

    app = opened("registry")

    assert "1 engine, 0 approved." in words(app)
    assert "mlp_trt10.7_cuda12_sm90_fp16" in words(app)
    values = app.dataframe[1].value["Value"].tolist()
    assert model.sha256 in values
    assert build.engine_sha256 in values


def test_parents_name_the_plan_the_request_and_the_timing_cache(bench):
    options = BuilderOptions(optimization_level=5, timing_cache="ab" * 32)
    add_engine(bench, add_model(bench), options=options, profiles=(profile("x=1x8:4x8:16x8"),))

    facts = opened("registry").dataframe[1].value.set_index("Fact")["Value"]

    assert facts["Precision plan"] == "fp16"
    assert facts["Build request"] == "1 profile, optimization level 5"
    assert facts["Timing cache sha256"] == "ab" * 32


def test_an_engine_that_used_the_machines_own_timings_says_that_their_hash_is_not_known(bench):
    add_engine(bench, add_model(bench))

    facts = opened("registry").dataframe[1].value.set_index("Fact")["Value"]

    assert facts["Build request"] == "the library's defaults"
    assert facts["Timing cache sha256"] == "the machine's own, not recorded"


def test_a_decision_is_kept(bench):
    build = add_engine(bench, add_model(bench))
    app = opened("registry")

    app.radio[0].set_value(EngineState.APPROVED)
    app.text_area[0].set_value("goes live")
    app.button[0].click()
    app.run()

    assert not app.exception
    decision = bench.registry.entry(build.id).decision
    assert (decision.state, decision.notes) == (EngineState.APPROVED, "goes live")


def test_search_leaves_those_that_fit(bench):
    model = add_model(bench)
    add_engine(bench, model, number=1, version="8.6.1.6")
    add_engine(bench, model, number=2)
    app = opened("registry")

    app.text_input("registry.search").set_value("trt8.6").run()
    assert len(app.dataframe[0].value) == 1

    app.text_input("registry.search").set_value("nothing like it").run()
    assert "No engine fits" in words(app)


def test_retention_shows_what_would_go_before_it_goes(bench):
    model = add_model(bench)
    for number in range(1, 5):
        add_engine(bench, model, number=number)
    app = opened("registry")
    assert "1 engine would go" in words(app)

    app.number_input("registry.newest").set_value(10).run()
    assert "every engine stays" in words(app)
    assert len(bench.registry.entries()) == 4


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A project in the workspace that it was made in, and in another."""
    root = tmp_path_factory.mktemp("moved")
    one, model, build = stocked(root / "one")
    one.registry.export(model.id, root / "project.zip")
    workspace_of(root / "two").registry.bring_in(root / "project.zip")
    return root, model, build


@pytest.mark.parametrize("page", ["models", "fusion", "registry", "deploy"])
def test_a_project_shows_the_same_pages_where_it_was_brought_in(page, moved, monkeypatch):
    root, model, build = moved
    shown = []
    for name in ("one", "two"):
        monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(root / name))
        st.cache_resource.clear()
        st.cache_data.clear()
        app = opened(page, model=model.id, build=build.id)
        tables = [table.value.drop(columns="From elsewhere", errors="ignore").to_csv() for table in app.dataframe]
        shown.append((words(app), tables))

    assert shown[0] == shown[1]
    assert len(shown[0][0]) > 100


def test_a_project_is_brought_in_and_a_broken_one_refused(bench, tmp_path):
    other = workspace_of(tmp_path / "other")
    model = add_model(other)
    add_engine(other, model)
    other.registry.export(model.id, tmp_path / "project.zip")
    content = (tmp_path / "project.zip").read_bytes()

    app = opened("registry")
    app.file_uploader("registry.import").set_value(("p.zip", content[:-40], "application/zip")).run()
    app.button("registry.import.go").click().run()
    assert not app.exception
    assert "What to do" in words(app)
    assert bench.library.models() == []

    app.file_uploader("registry.import").set_value(("p.zip", content, "application/zip")).run()
    app.button("registry.import.go").click().run()
    assert not app.exception
    assert [item.id for item in bench.library.models()] == [model.id]
