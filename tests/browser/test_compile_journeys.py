"""From a sample to an INT8 engine and its fusion map, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import onnx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import come_to
from tests.browser.site import served, watched
from tests.light_models import light_model
from trt_core.workbench import workspace_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # a page waits for the machine that it shares with a build


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def address(workspace):
    with served(workspace) as address:
        yield address


@pytest.fixture
def page(browser, address):
    with watched(browser) as page:
        yield page


def query(page, name):
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def test_a_sample_becomes_an_int8_engine_and_a_fusion_map(page, address):
    page.goto(f"{address}/build")
    page.get_by_role("button", name="Load the digits sample").click()
    page.get_by_role("button", name="INT8", exact=True).click()
    expect(page.get_by_text(re.compile(r"Calibrate on [\d,]+ samples of digits/calibration.npz"))).to_be_visible()
    page.get_by_role("button", name="Build the engine").click()

    expect(page.get_by_text(re.compile(r"INT8 was asked for; \d+ of \d+ layers run in it\.")).first).to_be_visible(
        timeout=90_000
    )
    assert query(page, "build").startswith("b-")
    page.get_by_role("link", name="See what became of every node").first.click()
    expect(page.get_by_text(re.compile(r"38 nodes became \d+ engine layers"))).to_be_visible(timeout=30_000)
    expect(page.get_by_text("ahead-of-time plan for SM 8.6")).to_be_visible()

    # The strip of layers: a click on a block shows what it computes.
    block = page.locator(".js-plotly-plot").first.locator("g.points g.point").last
    block.wait_for(timeout=20_000)
    box = block.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text(re.compile(r"^Layer \d+"))).to_be_visible(timeout=20_000)


def test_leaving_the_page_loses_nothing(browser, address, workspace):
    bench = workspace_of(workspace)
    model = bench.library.add_sample("digits_transformer")
    with watched(browser) as page:
        page.goto(f"{address}/build?model={model.id}")
        page.get_by_role("button", name="Build the engine").click()
        page.wait_for_url(re.compile("job=j-|build=b-"), timeout=30_000)
        left = page.url
    for job in bench.jobs.jobs(active=True):
        bench.jobs.wait(job.id, on_look=lambda _: None)

    with watched(browser) as page:
        page.goto(left)
        expect(page.get_by_text("FP16 was asked for").first).to_be_visible(timeout=60_000)


def test_a_running_build_can_be_cancelled(browser, address, workspace, tmp_path):
    bench = workspace_of(workspace)
    onnx.save(light_model("densenet121"), tmp_path / "densenet121.onnx")
    model = bench.library.add_file(tmp_path / "densenet121.onnx", trusted=True)
    samples = np.random.default_rng(0).standard_normal((96, 3, 224, 224), dtype=np.float32)
    np.savez(tmp_path / "noise.npz", **{model.inputs[0].name: samples})
    bench.library.add_data(tmp_path / "noise.npz", name="noise.npz", model_id=model.id)
    with watched(browser) as page:
        page.goto(f"{address}/build?model={model.id}")
        page.get_by_role("button", name="INT8", exact=True).click()
        expect(page.get_by_text("96 samples; NVIDIA advises 500 or more")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Build the engine").click()
        page.get_by_role("button", name="Cancel", exact=True).click(timeout=30_000)

        expect(page.get_by_text("The job was cancelled").or_(page.get_by_text("Cancelled.")).first).to_be_visible(
            timeout=60_000
        )
        job_id = query(page, "job")
    assert bench.jobs.job(job_id).state.value == "cancelled"
    assert bench.builds.builds(model.id) == []


def test_a_profile_out_of_order_is_told_at_its_row(page, address, workspace):
    model = workspace_of(workspace).library.add_sample("digits_cnn")
    page.goto(f"{address}/build?model={model.id}")
    page.get_by_role("button", name="Add a profile").click()
    low = page.get_by_role("spinbutton", name="Profile 2, batch, min")
    low.fill("9")
    low.press("Enter")

    expect(page.get_by_text("Profile 2: 'batch': min 9, opt 1, max 1. Make 1 ≤ min ≤ opt ≤ max.")).to_be_visible()
    expect(page.get_by_role("button", name="Build the engine")).to_be_disabled()


def test_what_stands_below_the_window_is_drawn_when_it_comes_into_it(page, address, workspace):
    bench = workspace_of(workspace)
    model = bench.library.add_sample("digits_cnn")
    page.goto(f"{address}/models?model={model.id}")
    tables = page.locator('[data-testid="stDataFrame"]')
    expect(page.get_by_role("heading", name="digits_cnn has")).to_be_visible()
    page.wait_for_timeout(2_000)
    expect(tables).to_have_count(0)

    come_to(page, page.get_by_role("button", name="Delete this model"))

    expect(tables).to_have_count(2)  # both at once
