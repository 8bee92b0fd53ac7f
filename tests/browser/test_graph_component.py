from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
address = small_app("graph_app")


@pytest.fixture
def page(browser):
    with watched(browser, width=1600, height=800) as page:
        yield page


def show(page, address, query):
    page.goto(f"{address}/?{query}")
    page.locator(".stage .box").first.wait_for(timeout=30_000)


def box(page, label):
    return page.locator(f".stage .box[aria-label^='{label},']")


def test_five_thousand_nodes_are_drawn_within_three_seconds_of_the_click(page, address):
    show(page, address, "model=chain")  # the server's first visitor waits for its imports
    began = time.monotonic()
    show(page, address, "model=chain")
    assert time.monotonic() - began < 3.0
    expect(page.locator(".note")).to_have_text("23 boxes of 5000 nodes")


def test_a_group_opens_by_its_plus_and_closes_by_its_header(page, address):
    show(page, address, "model=chain")
    part = page.locator(".stage .box[aria-label^='49–72 ·']")
    part.locator(".knob").click()
    opened = page.locator(".stage .box.open[aria-label^='49–72 ·']")
    expect(opened).to_have_count(1)
    expect(page.locator(".note")).to_have_text("46 boxes of 5000 nodes")
    opened.locator(".head").click(position={"x": 4, "y": 6})
    expect(page.locator(".note")).to_have_text("23 boxes of 5000 nodes")


def test_a_double_click_opens_a_group(page, address):
    show(page, address, "model=chain")
    page.locator(".stage .box[aria-label^='1–24 ·'] .body").dblclick(position={"x": 40, "y": 8})
    expect(page.locator(".stage .box.open[aria-label^='1–24 ·']")).to_have_count(1)


def test_a_click_tells_python_what_is_selected(page, address):
    show(page, address, "model=chain")
    page.locator(".stage .box[aria-label^='1–24 ·'] .body").click(position={"x": 40, "y": 8})
    expect(page.get_by_text("Selected 1–24 · Bottleneck with 240 nodes")).to_be_visible()
    expect(page.locator(".stage .box.selected")).to_have_count(1)


def test_search_looks_inside_closed_groups_and_selects_what_it_finds(page, address):
    show(page, address, "model=chain")
    search = page.get_by_label("Find a node by name or op")
    search.fill("node_of_t2503")
    search.press("Enter")
    expect(page.get_by_text("Selected Conv with 1 nodes")).to_be_visible()
    expect(page.locator(".stage .box.selected[aria-label*='node_of_t2503']")).to_have_count(1)


def test_a_search_without_a_match_says_so(page, address):
    show(page, address, "model=scopes")
    search = page.get_by_label("Find a node by name or op")
    search.fill("no such thing")
    search.press("Enter")
    expect(page.get_by_text("No node has this text")).to_be_visible()


def test_the_keyboard_alone_reaches_selects_and_opens_a_box(page, address):
    show(page, address, "model=chain")
    page.locator(".stage").focus()
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".stage .box.selected")).to_have_count(1)
    expect(page.get_by_text("Selected ")).to_be_visible()
    expect(page.locator(".stage .box.selected")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator(".note")).to_have_text("46 boxes of 5000 nodes")


def test_plus_and_the_wheel_zoom_and_zero_shows_all_again(page, address):
    show(page, address, "model=scopes")
    world = page.locator("svg.view > g")
    page.wait_for_timeout(300)  # the picture is fitted once its frame has its size
    fitted = world.get_attribute("transform")
    page.locator(".stage").focus()
    page.keyboard.press("+")
    expect(world).not_to_have_attribute("transform", fitted)
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -300)
    page.keyboard.press("0")
    expect(world).to_have_attribute("transform", fitted)


def test_names_out_of_a_model_stay_text(page, address):
    show(page, address, "model=hostile")
    expect(page.locator(".stage img, .stage a, .stage script")).to_have_count(0)
    assert page.locator(".stage .box text").all_inner_texts()


def test_highlighted_nodes_stand_out(page, address):
    show(page, address, "model=chain&light=3&light=4000")
    expect(page.locator(".stage .box.lit:not(.open)")).to_have_count(2)


def test_a_page_can_bring_a_node_to_the_middle_and_select_it(page, address):
    show(page, address, "model=chain")
    page.get_by_text("Show node 2503").click()
    expect(page.locator(".stage .box.selected[aria-label*='node_of_t2503']")).to_have_count(1)
    expect(page.get_by_text("Selected Conv with 1 nodes")).to_be_visible()


def test_another_model_begins_unselected(page, address):
    show(page, address, "model=scopes")
    page.locator(".stage .box[aria-label^='Gemm,'] .body").first.click()
    expect(page.get_by_text("Selected Gemm")).to_be_visible()
    page.get_by_text("hostile", exact=True).click()
    expect(page.get_by_text("Nothing selected")).to_be_visible()
    expect(page.locator(".stage .box.selected")).to_have_count(0)


def test_a_narrow_window_begins_readable_at_the_inputs_and_fit_shows_all(page, address):
    page.set_viewport_size({"width": 400, "height": 800})
    show(page, address, "model=chain")
    heights = "all => all.map(one => one.getAttribute('font-size') * one.getScreenCTM().a)"
    inside = """one => {
        const [stage, at] = [one.closest('.stage').getBoundingClientRect(), one.getBoundingClientRect()];
        return at.left >= stage.left && at.right <= stage.right && at.top >= stage.top && at.bottom <= stage.bottom;
    }"""

    assert min(page.locator(".stage .box .name").evaluate_all(heights)) >= 9
    assert page.locator(".stage .box.end").first.evaluate(inside)
    expect(page.locator(".map")).to_be_visible()  # there is more than the window shows

    page.get_by_role("button", name="Show all").click()

    expect(page.locator(".map")).to_be_hidden()


def test_a_group_larger_than_the_window_opens_at_its_beginning_and_readable(page, address):
    show(page, address, "model=wide")
    page.get_by_label("Show all (0)").click()
    page.locator(".stage .box[aria-label^='1–23 ·'] .knob").click()
    opened = page.locator(".stage .box.open[aria-label^='1–23 ·']")
    expect(opened).to_have_count(1)

    width = opened.evaluate("one => one.getBoundingClientRect().width / one.closest('.stage').clientWidth")
    assert width > 1.2, "else this test proves nothing"
    names = page.locator(".stage .box:not(.open) text.name")
    heights = names.evaluate_all("all => all.map(one => one.getAttribute('font-size') * one.getScreenCTM().a)")
    assert min(heights) >= 9
    expect(page.locator(".stage .box[aria-label='Conv, branch9']")).to_be_in_viewport(ratio=1)
