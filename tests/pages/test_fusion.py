"""The fusion page: empty, filled, failing."""

from __future__ import annotations

import pytest
import streamlit as st

from tests.pages.engines import asked, opened, stocked, words
from trt_core.domain.fusion import NodeState
from trt_core.workbench import workspace_of


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return stocked(tmp_path_factory.mktemp("stock"))


@pytest.fixture(autouse=True)
def _fresh_caches():
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def app(stock, monkeypatch):
    bench, model, build = stock
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(bench.settings.workspace))
    return opened("fusion", model=model.id, build=build.id)


def test_a_model_without_a_build_offers_one_with_one_click(tmp_path, monkeypatch):
    bench = workspace_of(tmp_path)
    model = bench.library.add_sample("digits_cnn")
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path))
    page = opened("fusion", model=model.id)

    page.button("fusion.build_now").click().run()

    assert not page.exception
    job = bench.jobs.wait(asked(page, "job"), on_look=lambda _: None)
    page = opened("fusion", model=model.id, job=job.id)
    assert asked(page, "build") == job.result["build"]
    assert "38 nodes became" in words(page)


def test_the_verdict_counts_and_the_stamp_says_whose_plan_it_is(app, stock):
    fusion = stock[0].builds.fusion(stock[2].id)

    assert f"{len(fusion.nodes)} nodes became {len(fusion.layers)} engine layers" in words(app)
    assert "TensorRT-RTX" in words(app)
    assert "ahead-of-time plan" in words(app)


def test_a_layer_shows_its_nodes_and_a_node_shows_its_fate(app, stock):
    fusion = stock[0].builds.fusion(stock[2].id)
    folded = next(node for node in fusion.nodes if node.state is NodeState.FOLDED and node.layers)

    app.selectbox("fusion.layer").set_value(folded.layers[0]).run()
    app.selectbox("fusion.node").set_value(folded.index).run()

    assert not app.exception
    assert f"**Layer {folded.layers[0]}**" in words(app)
    assert f"**Node {folded.index}** `{folded.name}`" in words(app)
    assert "batchnorm folding" in words(app)
    shown = [list(table.value["name"]) for table in app.dataframe if "state" in table.value and "name" in table.value]
    assert any(folded.name in names and len(names) < len(fusion.nodes) for names in shown)


def test_every_node_is_in_the_table_with_who_says_so(app, stock):
    fusion = stock[0].builds.fusion(stock[2].id)
    tables = [table.value for table in app.dataframe if "says" in table.value and "op" in table.value]

    assert any(len(table) == len(fusion.nodes) for table in tables)


def test_the_build_without_normalization_is_one_click_away(stock, app):
    bench, model, build = stock

    app.button("fusion.counterpart").click().run()

    job = bench.jobs.wait(asked(app, "job"), on_look=lambda _: None)
    assert bench.builds.build(job.result["build"]).recipe.normalize is False
    app = opened("fusion", model=model.id, build=build.id)
    compared = [table.value for table in app.dataframe if "file" in table.value]
    assert list(compared[0]["file"]) == ["normalized", "as uploaded"]


def test_a_build_of_nobody_is_told_and_the_page_still_stands(stock, app):
    page = opened("fusion", model=stock[1].id, build="b-000000000000")

    assert "not in this model's builds" in words(page).replace("\\", "")
    assert "There is no build" not in words(page)
