"""From a stored engine to a zip that runs it in production, in a real browser."""

from __future__ import annotations

import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.site import served, watched
from tests.deploy.stock import add_engine, profile
from tests.deploy.triton_proto import parsed
from trt_core.domain.registry import EngineState
from trt_core.workbench import workspace_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    bench = workspace_of(tmp_path_factory.mktemp("workspace"))
    model = bench.library.add_sample("digits_cnn")
    return bench, model, add_engine(bench, model, profiles=(profile("image=1x1x16x16:8x1x16x16:32x1x16x16"),))


@pytest.fixture(scope="module")
def address(stock):
    with served(stock[0].settings.workspace) as address:
        yield address


@pytest.fixture
def page(browser, address):
    with watched(browser) as page:
        yield page


def test_an_engine_becomes_a_model_repository_with_one_click(page, address, stock, tmp_path):
    _, model, build = stock
    page.goto(f"{address}/deploy?model={model.id}&build={build.id}")
    expect(page.get_by_text("This engine loads in Triton 24.12 on NVIDIA H100 PCIe.")).to_be_visible()

    with page.expect_download() as caught:
        page.get_by_role("button", name="Download all as zip").click()
    path = tmp_path / "bundle.zip"
    caught.value.save_as(path)

    assert caught.value.suggested_filename == "digits_cnn_trt10.7_cuda12_sm90_fp16_triton.zip"
    with zipfile.ZipFile(path) as archive:
        folder = "digits_cnn_trt10.7_cuda12_sm90_fp16"
        assert parsed(archive.read(f"{folder}/model_repository/digits_cnn/config.pbtxt")).max_batch_size == 32
        assert archive.read(f"{folder}/model_repository/digits_cnn/1/model.plan")[:4] == b"ftrt"


def test_the_registry_keeps_a_decision_and_leads_to_the_deploy_page(page, address, stock):
    bench, _, build = stock
    page.goto(f"{address}/registry")
    expect(page.get_by_text("1 engine, 0 approved.")).to_be_visible()

    page.locator("label").filter(has_text="Approved").click()
    page.get_by_label("Notes").fill("Goes to the tram cameras.")
    page.get_by_role("button", name="Keep the decision").click()

    expect(page.get_by_text("1 engine, 1 approved.")).to_be_visible()
    assert bench.registry.entry(build.id).decision.state is EngineState.APPROVED
    page.get_by_role("link", name="Deploy it").click()
    expect(page).to_have_url(re.compile(rf"/deploy\?.*build={build.id}"))
    expect(page.get_by_text("Files for production")).to_be_visible()
