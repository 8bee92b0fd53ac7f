from __future__ import annotations

import io
import re

import pytest
from playwright.sync_api import expect

from tests import models
from tests.browser.conftest import come_to, open_tab, serving
from trt_core.domain.engine import Sm
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.requests import BenchSpec, InspectSpec
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.browser

HOSTILE = {
    "image": "![p](http://evil.example/p.png)",
    "html": '<img src="http://evil.example/q.png" onerror="alert(1)">',
    "latex": "$\\frac{1}{0}$ $$x$$",
    "icon": ":material/delete: :smile: :red[danger]",
    "link": "[go](http://evil.example) http://evil.example www.evil.example",
    "long": "n" * 5000,
    "rtl": "\u202egnp.exe \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
}


def _file(name: str, proto) -> dict[str, object]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": proto.SerializeToString()}


def _with_names(name: str):
    """A small model in which every name that a file can choose is that one, made unique by a number."""
    proto = models.mlp()
    graph = proto.graph
    tensors = {value.name: f"{name} {at}" for at, value in enumerate([*graph.input, *graph.output])}
    for value in [*graph.input, *graph.output]:
        value.name = tensors[value.name]
    for at, node in enumerate(graph.node):
        node.name = f"{name} {at}"
        node.input[:] = [tensors.get(item, item) for item in node.input]
        node.output[:] = [tensors.get(item, item) for item in node.output]
    proto.producer_name = name
    graph.name = name
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = name[:200]
    return proto


def test_an_upload_becomes_a_card_and_is_deleted_again(visit, server):
    page = visit("/")
    expect(page).to_have_title("Models · Enginescope")
    if not page.get_by_role("tab", name="Upload").is_visible():
        page.get_by_text("Add a model").click()
    page.get_by_role("tab", name="Upload").click()
    page.locator('input[type="file"]').set_input_files([_file("journey.onnx", models.mlp())])
    page.get_by_role("button", name="Add to the workspace").first.click()

    verdict = page.get_by_role("heading", name=re.compile("journey has .* nodes"))
    expect(verdict).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile(r"model=m-[0-9a-f]{12}"))
    (record,) = [item for item in server.bench.library.models() if item.name == "journey"]

    come_to(page, page.get_by_role("button", name="Delete this model")).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(verdict).not_to_be_visible(timeout=20_000)
    assert record.id not in [item.id for item in server.bench.library.models()]


def test_a_sample_is_loaded_and_its_support_proved(visit, server):
    page = visit("/models")
    if not page.get_by_role("tab", name="Samples").is_visible():
        page.get_by_text("Add a model").click()
    page.get_by_role("button", name="Load").first.click()
    expect(page.get_by_role("heading", name=re.compile("digits_cnn has 38 nodes"))).to_be_visible(timeout=20_000)

    page.get_by_role("link", name="Check layer support").click()
    expect(page.get_by_role("heading", level=1, name="Support")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Check support").click()

    proved = page.get_by_role("heading", name="All 38 nodes are supported for SM 8.6: a build proved it.")
    expect(proved).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_are_shown_as_text_and_ask_nothing_of_the_outside(visit, server, kind):
    name = HOSTILE[kind]
    record = server.bench.library.add_upload({"model.onnx": io.BytesIO(_with_names(name).SerializeToString())})
    wish = InspectSpec(model_id=record.id, target=Sm(major=8, minor=6))
    server.bench.support.perform(wish, CollectingReporter())

    for place in ("models", "support"):
        page = visit(f"/{place}?model={record.id}")
        expect(page.locator(".cards dd").first).to_be_visible(timeout=20_000)
        open_tab(page, page.get_by_role("tab", name="Nodes"))
        block = page.locator('[data-testid="stMainBlockContainer"]')
        assert block.locator("img, .katex, a[href*='evil']").count() == 0
        assert block.get_by_text("This part of the page failed").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    server.bench.library.delete(record.id)


def test_a_deep_link_works_as_the_first_visit_to_a_fresh_server(visit, tmp_path):
    with serving(tmp_path / "workspace") as fresh:
        record = fresh.bench.library.add_sample("digits_cnn")

        page = visit(f"/support?model={record.id}&target=89", at=fresh)

        expect(page.get_by_role("link", name=re.compile("digits_cnn"))).to_be_visible(timeout=20_000)
        expect(page.get_by_role("link", name=re.compile("SM 8.9"))).to_be_visible()
        page.get_by_role("link", name="System").click()
        expect(page.get_by_role("heading", level=1, name="System")).to_be_visible(timeout=20_000)
        expect(page).to_have_url(re.compile(f"model={record.id}.*target=89|target=89.*model={record.id}"))
        page.close()  # before its server goes


def test_a_broken_file_is_a_red_box_and_the_page_lives_on(visit):
    page = visit("/models")
    if not page.get_by_role("tab", name="Upload").is_visible():
        page.get_by_text("Add a model").click()
    page.get_by_role("tab", name="Upload").click()
    broken = {"name": "broken.onnx", "mimeType": "application/octet-stream", "buffer": b"\x00\x01 not a model"}
    page.locator('input[type="file"]').set_input_files([broken])
    page.get_by_role("button", name="Add to the workspace").first.click()

    expect(page.get_by_text("The model cannot be read")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("What to do:").first).to_be_visible()


@pytest.mark.parametrize("width", [1280, 900])
@pytest.mark.parametrize("place", ["models", "support", "jobs", "system"])
def test_no_page_scrolls_sideways(visit, server, place, width):
    record = server.bench.library.add_sample("digits_cnn")

    page = visit(f"/{place}?model={record.id}", width=width)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_runs_follows_to_another_page_and_announces_its_end_with_a_link(visit, server):
    record = server.bench.library.add_sample("digits_transformer")
    # Long enough that it surely runs while the page changes.
    request = LatencyRequest(iterations=1, warmup=1, duration_s=8.0, profile_layers=False)
    server.bench.latency.submit(BenchSpec(subject_id=record.id, request=request))
    page = visit(f"/support?model={record.id}")

    page.get_by_role("link", name="System").click()

    expect(page.get_by_role("heading", level=1, name="System")).to_be_visible(timeout=20_000)
    toast = page.locator('[data-testid="stToast"]')
    expect(toast).to_contain_text("Done: Latency of digits_transformer", timeout=60_000)
    link = str(toast.get_by_role("link").get_attribute("href"))
    assert link.startswith("latency?latency=l-")  # relative, as the menu's: a proxy may serve from a folder
    assert f"model={record.id}" in link

    # Another document would lose what the session holds, another tab would hide this one.
    page.evaluate("window.stays = true")
    toast.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name="Latency")).to_be_visible(timeout=20_000)
    assert page.url.endswith(f"/{link}")
    assert page.evaluate("window.stays")
    assert len(page.context.pages) == 1
