"""Charts in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
DRAWN = '.chart[data-chart="drawn"]'
PLOT = f"{DRAWN} .js-plotly-plot"
address = small_app("charts")


@pytest.fixture
def page(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.goto(address)
        page.locator(DRAWN).wait_for(timeout=30_000)
        settle(page)
        yield page


def _top(page):
    """The highest mark on the vertical axis."""
    return page.locator(PLOT).first.evaluate("plot => plot.layout.yaxis.range[1]")


def test_the_program_is_kept_by_the_browser_and_packed(page, address):
    (script,) = page.evaluate("[...document.scripts].map(script => script.src).filter(src => src.includes('plotly'))")

    answer = page.request.get(script)

    assert script.startswith(f"{address}/charts/plotly-")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]
    plain = page.request.get(script, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.body() == answer.body()


def test_a_run_of_the_page_neither_draws_a_chart_again_nor_takes_what_a_reader_moved_back(page):
    box = page.locator(f"{DRAWN} .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.yaxis.range[1] > 11")
    moved = _top(page)
    page.locator(PLOT).evaluate("plot => plot.on('plotly_afterplot', () => { window.plots = (window.plots ?? 0) + 1 })")

    page.get_by_role("button", name="Again").click()
    expect(page.get_by_text("Run 2 of the page")).to_be_visible()
    settle(page)
    assert page.evaluate("window.plots") is None
    page.get_by_text("Higher").click()
    page.wait_for_function("document.querySelector('.js-plotly-plot').data[0].y[2] === 8")
    assert _top(page) == moved
    page.get_by_text("Other result").click()
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.yaxis.range[1] === 10")


def test_a_chart_that_comes_back_is_shown_as_it_was_left_and_not_drawn_again(page):
    page.evaluate(
        "() => { const react = window.Plotly.react; window.draws = 0;"
        " window.Plotly.react = (...all) => { window.draws += 1; return react(...all) } }"
    )
    page.locator(PLOT).evaluate("plot => { plot.mine = true }")
    page.get_by_text("Gone").click()
    expect(page.locator(DRAWN)).to_have_count(0)
    page.set_viewport_size({"width": 900, "height": 800})

    page.get_by_text("Gone").click()

    page.wait_for_function(
        "(plot => plot?.mine && plot.layout.width === plot.clientWidth)(document.querySelector('.js-plotly-plot'))"
    )
    assert page.evaluate("window.draws") == 0
    box = page.locator(f"{DRAWN} g.point").nth(2).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("mark [30]")).to_be_visible()
    for last in (8, 3):  # what changes in its place is drawn
        page.get_by_text("Higher").click()
        page.wait_for_function("last => document.querySelector('.js-plotly-plot').data[0].y[2] === last", arg=last)
    assert page.evaluate("window.draws") == 2


def test_a_click_tells_what_the_mark_stands_for_and_the_same_mark_again(page):
    bar = page.locator(f"{DRAWN} g.point").nth(1)
    box = bar.bounding_box()
    for run in (2, 3):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.get_by_text(f"Run {run} of the page, mark [20]")).to_be_visible()


def test_a_chart_is_as_wide_as_its_place_and_as_large_as_the_screen_when_asked(page):
    chart = page.locator(DRAWN)
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_function(
        "(c => c.layout.width === c.clientWidth && c.clientWidth < 700)(document.querySelector('.js-plotly-plot'))"
    )
    assert page.locator(PLOT).evaluate("plot => plot.layout.height") == 300

    chart.hover()
    chart.locator('[data-title^="Fullscreen"]').click()
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.height > 500")
    page.evaluate("document.exitFullscreen()")
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.height === 300")


def test_a_chart_takes_the_colours_of_the_page_when_they_change(page):
    ground = "chart => getComputedStyle(chart.querySelector('.main-svg')).backgroundColor"
    assert page.locator(DRAWN).evaluate(ground) == "rgb(255, 255, 255)"

    page.emulate_media(color_scheme="dark")

    page.wait_for_function(f"({ground})(document.querySelector('.chart')) !== 'rgb(255, 255, 255)'")
    assert page.locator(PLOT).evaluate("plot => plot._fullLayout.font.color") == page.evaluate(
        "getComputedStyle(document.querySelector('.chart')).color"
    )


def test_a_chart_in_a_tab_is_drawn_when_the_tab_is_opened(page):
    page.get_by_role("tab", name="Picture").click()
    expect(page.locator(DRAWN)).to_have_count(2)
    page.get_by_role("tab", name="Words").click()
    page.set_viewport_size({"width": 900, "height": 800})
    page.get_by_role("tab", name="Picture").click()
    page.wait_for_function(
        "[...document.querySelectorAll('.js-plotly-plot')].every(c => c.clientWidth && c.layout.width === c.clientWidth)"
    )


def test_a_picture_is_saved_under_the_name_of_what_it_shows(page):
    chart = page.locator(DRAWN)
    chart.hover()
    with page.expect_download() as caught:
        chart.locator('[data-title^="Download plot as a PNG"], [data-title^="Download plot as a png"]').click()
    assert caught.value.suggested_filename == "bars.png"


@pytest.mark.parametrize("answer", [None, "<!doctype html>"])
def test_a_program_that_does_not_come_is_told_and_asked_for_again(browser, address, answer):
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    asked = re.compile("charts/plotly")
    page.route(asked, lambda route: route.fulfill(body=answer) if answer else route.abort())
    page.goto(address)
    expect(page.get_by_text("The chart could not be drawn")).to_be_visible(timeout=30_000)

    page.unroute(asked)
    page.get_by_text("Higher").click()

    expect(page.locator(DRAWN)).to_be_visible(timeout=20_000)
    expect(page.get_by_text("The chart could not be drawn")).to_be_hidden()
    page.close()
