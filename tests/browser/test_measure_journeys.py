"""From a sample to a latency run, a divergence run and their reports, in a real browser."""

from __future__ import annotations

import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import come_to, open_tab, settle
from tests.browser.test_model_journeys import HOSTILE, _with_names
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BenchSpec, DivergeSpec, QuantizeSpec
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.browser


def query(page, name):
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def click_mark(page, mark):
    """Click a point of a plot where it is drawn."""
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def open_report(page, browser, tmp_path):
    """The report as a reader opens it from the disk; fails when it asks for anything."""
    with page.expect_download() as download:
        come_to(page, page.get_by_role("button", name="Report as one HTML file")).click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    reader = browser.new_page(viewport={"width": 1200, "height": 900})
    asked, wrong = [], []
    reader.on("request", lambda request: asked.append(request.url))
    reader.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    reader.on("pageerror", lambda error: wrong.append(str(error)))
    reader.goto(path.as_uri())
    expect(reader.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []
    return reader


@pytest.fixture(scope="module")
def model(server):
    return server.bench.library.add_sample("digits_transformer")


def test_a_measurement_is_asked_for_watched_and_answered(visit, browser, model, tmp_path):
    page = visit(f"/latency?model={model.id}")
    page.get_by_role("spinbutton", name="Iterations").fill("300")
    page.get_by_role("spinbutton", name="Iterations").press("Enter")
    settle(page)

    page.get_by_role("button", name="Measure").click()

    expect(page.get_by_text(re.compile("300 samples of ONNX Runtime"))).to_be_visible(timeout=90_000)
    expect(page.get_by_text("no TensorRT latency").first).to_be_visible()
    assert query(page, "latency").startswith("l-")
    assert query(page, "job") == ""
    stamp = page.locator(".js-plotly-plot").first.locator(".annotation-text")
    expect(stamp).to_contain_text("This is no TensorRT latency", timeout=20_000)
    reader = open_report(page, browser, tmp_path)
    expect(reader.get_by_text(model.sha256)).to_be_visible()
    expect(reader.get_by_role("heading", name="Percentiles")).to_be_visible()
    reader.close()


def test_runs_are_compared_on_one_plot_and_the_link_keeps_them(visit, server, model):
    bench = server.bench
    variant = bench.variants.perform(
        QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)), CollectingReporter()
    )
    request = LatencyRequest(iterations=200, warmup=5, profile_layers=False)
    runs = [
        bench.latency.perform(BenchSpec(subject_id=subject, request=request), CollectingReporter()).id
        for subject in (model.id, variant.id)
    ]

    page = visit(f"/latency?model={model.id}&runs={','.join(runs)}")

    expect(page.get_by_text(re.compile(r"[AB] · FP(16|32) (is|against) .*[AB] · FP(16|32)")).first).to_be_visible()
    legend = page.locator(".js-plotly-plot").first.locator(".legendtext")
    expect(legend).to_have_text(["A · FP32", "B · FP16"], timeout=20_000)
    assert query(page, "runs") == ",".join(runs)


def test_a_comparison_names_the_layer_that_int8_hurts_and_a_click_opens_it(visit, browser, server, model, tmp_path):
    bench = server.bench
    data = {record.name.rpartition("/")[2]: record for record in bench.library.data_sets(model.id)}
    spec = DivergeSpec(
        model_id=model.id,
        against=(Precision.FP16, Precision.INT8),
        data_id=data["test.npz"].id,
        calibration_id=data["calibration.npz"].id,
        samples=4,
    )
    run = bench.divergence.perform(spec, CollectingReporter())

    page = visit(f"/divergence?model={model.id}&divergence={run.id}")
    expect(page.get_by_text(re.compile(r"INT8 loses [\d.]+ dB at"))).to_be_visible()
    expect(page.get_by_text("/encoder/layer0/ffn/up/MatMul").first).to_be_visible()
    marks = page.locator(".js-plotly-plot").first.locator("g.points path.point")
    marks.first.wait_for()
    click_mark(page, marks.nth(40))

    expect(page.get_by_text("Layer 40", exact=True)).to_be_visible(timeout=20_000)
    picked = page.locator(".js-plotly-plot").first.evaluate(
        "plot => plot.data.flatMap(one => one.selectedpoints ?? [])"
    )
    assert picked == [40], "the browser itself marks what was clicked"
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    reader = open_report(page, browser, tmp_path)
    expect(reader.get_by_text("Simulated in ONNX Runtime").first).to_be_visible()
    expect(reader.locator("table").last.locator("tbody tr")).to_have_count(len(run.layers))
    reader.close()


def test_a_comparison_is_asked_for_on_the_page(visit, model):
    page = visit(f"/divergence?model={model.id}")
    if not page.get_by_role("spinbutton", name="Samples").is_visible():  # unfolded where there is no run yet
        page.get_by_text("New comparison").click()
    page.get_by_role("spinbutton", name="Samples").fill("2")
    page.get_by_role("spinbutton", name="Samples").press("Enter")
    settle(page)
    page.get_by_role("button", name="INT8", exact=True).click()  # leaves FP16, which needs no calibration
    settle(page)

    page.get_by_role("button", name="Compare").click()

    expect(page.get_by_text(re.compile("FP16 loses .* At the outputs: FP16"))).to_be_visible(timeout=90_000)
    assert query(page, "divergence").startswith("d-")


@pytest.mark.parametrize("kind", ["image", "html", "latex", "long"])
def test_hostile_names_stay_text_on_both_pages_and_in_their_reports(visit, browser, server, tmp_path, kind):
    bench = server.bench
    record = bench.library.add_upload({"model.onnx": io.BytesIO(_with_names(HOSTILE[kind]).SerializeToString())})
    request = LatencyRequest(iterations=20, warmup=2)
    run = bench.latency.perform(BenchSpec(subject_id=record.id, request=request), CollectingReporter())
    spec = DivergeSpec(model_id=record.id, against=(Precision.FP16,), samples=1, mode="both")
    compared = bench.divergence.perform(spec, CollectingReporter())

    for place, tab in (
        (f"latency?latency={run.id}", "Nodes (separate run)"),
        (f"divergence?divergence={compared.id}", "Graph"),
    ):
        page = visit(f"/{place}&model={record.id}")
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
        if place.startswith("divergence"):
            page.get_by_role("combobox", name=re.compile("^Selected|Layer, or")).last.click()
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            settle(page)
        come_to(page, page.get_by_role("button", name="Report as one HTML file"))
        open_tab(page, page.get_by_role("tab", name=tab))
        block = page.locator('[data-testid="stMainBlockContainer"]')
        assert block.locator("img:not([src^='data:']), .katex, a[href*='evil']").count() == 0
        assert block.get_by_text("This part of the page failed").count() == 0
        reader = open_report(page, browser, tmp_path)
        assert reader.locator("img:not([src^='data:']), a[href*='evil']").count() == 0
        reader.close()
    bench.library.delete(record.id)
