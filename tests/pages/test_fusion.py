"""The fusion page: empty, filled, failing."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import streamlit as st

from pages.ui import narrowing
from pages.ui.fusion_strip import layer_figure
from pages.ui.fusion_tables import log_rows
from pages.ui.text import milliseconds
from tests.pages.conftest import open_tabs, scroll_to
from tests.pages.engines import asked, opened, stocked, words
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.domain.fusion import NodeState, PatternMatch
from trt_core.domain.latency import LatencyConditions, LatencyRun
from trt_core.services.engine_times import with_times
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


def test_the_chosen_layer_and_node_are_in_the_address_and_the_link_opens_them_again(app, stock):
    fusion = stock[0].builds.fusion(stock[2].id)
    layer, node = fusion.layers[-1].index, fusion.nodes[3].index

    app.selectbox("fusion.layer").set_value(layer).run()
    app.selectbox("fusion.node").set_value(node).run()
    assert (asked(app, "layer"), asked(app, "node")) == (str(layer), str(node))

    again = opened("fusion", model=stock[1].id, build=stock[2].id, layer=str(layer), node=str(node))
    assert again.selectbox("fusion.layer").value == layer
    assert f"**Layer {layer}**" in words(again)
    assert f"**Node {node}**" in words(again)

    again.selectbox("fusion.layer").set_value(None).run()
    assert "layer" not in again.query_params


def test_among_many_nodes_the_list_holds_what_was_searched_for_and_what_is_chosen(app, monkeypatch):
    monkeypatch.setattr(narrowing, "_FEW", 3)
    monkeypatch.setattr(narrowing, "_MOST", 2)
    app.run()
    assert len(app.selectbox("fusion.node").options) == 2

    app.text_input("fusion.node.find").set_value("RELU").run()
    (first, _) = app.selectbox("fusion.node").options
    app.selectbox("fusion.node").select(first).run()
    app.text_input("fusion.node.find").set_value("no such node").run()

    assert "relu" in first.lower()
    assert app.selectbox("fusion.node").options == [first]
    assert f"**Node {first.partition(' ')[0]}**" in words(app)


@pytest.mark.parametrize("layer", ["99999", "-1", "one", "1" * 5000])
def test_a_link_to_a_layer_that_is_not_there_says_so_and_shows_the_rest(layer, stock, monkeypatch):
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(stock[0].settings.workspace))

    page = opened("fusion", model=stock[1].id, build=stock[2].id, layer=layer)

    assert "which is not in this build" in page.error[0].value
    assert "nodes became" in words(page)
    assert page.selectbox("fusion.layer").value is None


def test_fusions_that_did_not_happen_are_dashed_blocks_below_the_layers(app, stock):
    fusion = stock[0].builds.fusion(stock[2].id)
    plan = replace(
        fusion,
        patterns=(
            PatternMatch(
                pattern="<b>attention", nodes=(0, 1), fused=False, layers=(fusion.layers[0].index,), reason="no kernel"
            ),
        ),
    )

    figure = layer_figure(plan, None)

    (block,) = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines"]
    (label,) = [trace for trace in figure.data if trace.type == "bar" and trace.base is not None]
    assert "px" in block.line.dash
    assert block.name == "expected, not fused (1)"
    assert label.constraintext == "inside", "in a narrow window words would lie over each other"
    assert list(label.customdata) == [fusion.layers[0].index]
    assert "<b>" not in label.hovertext[0].removeprefix("<b>")
    assert "no kernel" in label.hovertext[0]
    assert not [trace for trace in layer_figure(replace(fusion, patterns=()), None).data if trace.type == "scatter"]


def test_thousands_of_layers_are_one_outline_a_precision_and_each_still_answers_a_click(stock):
    fusion = stock[0].builds.fusion(stock[2].id)
    layers = tuple(replace(fusion.layers[n % len(fusion.layers)], index=n, output_bytes=n) for n in range(2_000))
    missing = PatternMatch(pattern="attention", nodes=(0, 1), fused=False, layers=(5, 6), reason="no kernel")
    plan = replace(fusion, layers=layers, patterns=(missing, replace(missing, layers=(9, 10))))

    figure = layer_figure(plan, 7)

    assert {trace.type for trace in figure.data} == {"scatter"}  # a bar is two elements each
    drawn = [trace for trace in figure.data if trace.fill == "toself"]
    assert None not in [x for trace in drawn for x in trace.x]  # a gap would begin an element
    tall = next(trace for trace in drawn if trace.line.width == 3)
    assert [list(tall.x), list(tall.y)[1] > 0] == [[7.53, 7.53, 8.47], True]
    marks = [trace for trace in figure.data if trace.mode == "markers" and len(trace.y) == len(layers)]
    assert [list(trace.customdata) for trace in marks] == [list(range(2_000))] * 2
    assert all(trace.marker.maxdisplayed == 1 for trace in marks)
    assert layers[3].kind in marks[0].hovertext[3]
    (silent,) = [trace for trace in figure.data if trace.name == "expected, not fused (2)"]
    assert list(silent.x) == [5.53, 5.53, 7.47, 9.53, 11.47]
    assert {trace.line.shape for trace in drawn} == {"hv"}


@pytest.fixture
def measured(stock):
    """The build with a run of TensorRT's meter that timed its layers, the last layer left out; taken away again."""
    bench, model, build = stock
    fusion = bench.builds.fusion(build.id)
    conditions = LatencyConditions(
        device="an H200", backend="tensorrt", backend_version="8.6.0", method="events", shapes=(), batch=8, threads=0,
        warmup=1,
    )  # fmt: skip
    run = LatencyRun(
        id="l-0123456789ab", subject_id=build.id, model_id=model.id, label="run", created_at=0.0,
        conditions=conditions, samples_ms=(1.0, 1.0), warmup_ms=(), wall_s=1.0,
        layers=tuple((layer.name, layer.kind, 0.1) for layer in fusion.layers[:-1]),
    )  # fmt: skip
    store = bench.latency._context.store
    files = {"run.json": json.dumps(to_plain(run)).encode()}
    store.put(ArtifactKind.LATENCY, run.id, replace(run, samples_ms=()), files, parents=(model.id, build.id))
    yield fusion
    store.delete(run.id)


def test_measured_times_lie_over_the_blocks_the_graph_and_the_table(measured, app):
    open_tabs(app, "graph", "layers")
    timed = len(measured.layers) - 1
    assert f"the layers sum to {milliseconds(timed * 0.1)}" in words(app)
    assert "Not timed: 1 layer of the map." in words(app)
    assert "darker with its share of the time" in words(app)
    (table,) = [item.value for item in app.dataframe if "µs" in item.value and "kernel" in item.value]
    assert list(table["µs"].dropna()) == [100.0] * timed

    app.segmented_control("fusion.measure").set_value("Bytes written").run()
    assert "in the colour of its precision" in words(app)
    assert not [item for item in app.dataframe if "µs" in item.value]


def test_the_engine_explorer_takes_the_times_of_a_run_at_its_own_batch(stock, measured):
    bench, _, build = stock
    other = bench.engines.study(build.id)
    assert (other.batch, other.has_times) == (1, False)

    (head,) = bench.latency.heads(build.model_id)
    run = bench.latency.run(head.id)
    alike = SimpleNamespace(
        heads=lambda _: [replace(head, conditions=replace(head.conditions, batch=1))],
        run=lambda _: run,
        summary=bench.latency.summary,
    )
    study = with_times(other, build, alike)
    assert study.layers_ms == pytest.approx(0.1 * (len(measured.layers) - 1))
    assert study.total_ms == 1.0
    assert "an H200" in study.stamp
    assert bench.engines.latest_run(build.id) == run.id
    assert not bench.engines.latest_run("r-000000000000")


def test_times_stand_in_place_of_the_bytes(measured):
    times = {layer.index: 0.25 for layer in measured.layers}
    figure = layer_figure(measured, None, times)
    assert figure.layout.yaxis.title.text == "mean time, µs"
    assert {height for trace in figure.data if trace.yaxis == "y" for height in trace.y} == {250.0}


def test_each_fusion_of_the_build_log_is_a_row_in_its_order():
    said = (("ConvReluFusion", "conv1", "relu1"), ("Removing", "cast", ""))
    assert log_rows(said) == [
        {"": 1, "step": "ConvReluFusion", "layer": "conv1", "with or into": "relu1"},
        {"": 2, "step": "Removing", "layer": "cast", "with or into": ""},
    ]


def test_every_node_is_in_the_table_with_who_says_so(app, stock):
    open_tabs(app, "nodes")
    fusion = stock[0].builds.fusion(stock[2].id)
    tables = [table.value for table in app.dataframe if "says" in table.value and "op" in table.value]

    assert any(len(table) == len(fusion.nodes) for table in tables)


def test_the_build_without_normalization_is_one_click_away(stock, app):
    bench, model, build = stock

    scroll_to(app, "fusion.below")
    app.button("fusion.counterpart").click().run()

    job = bench.jobs.wait(asked(app, "job"), on_look=lambda _: None)
    assert bench.builds.build(job.result["build"]).recipe.normalize is False
    app = opened("fusion", model=model.id, build=build.id)
    scroll_to(app, "fusion.below")
    compared = [table.value for table in app.dataframe if "file" in table.value]
    assert list(compared[0]["file"]) == ["normalized", "as uploaded"]


def test_a_build_of_nobody_is_told_and_the_page_still_stands(stock, app):
    page = opened("fusion", model=stock[1].id, build="b-000000000000")

    assert "not in this model's builds" in words(page).replace("\\", "")
    assert "There is no build" not in words(page)
