"""The row of tabs in a real browser: what a click, a key and Back show, and what the address says then."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
address = small_app("tabbed")


@pytest.fixture
def page(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.goto(address)
        page.get_by_text("the first one's words").wait_for(timeout=30_000)
        settle(page)
        expect(page.get_by_role("tablist")).to_have_count(2)  # a component comes a moment after what it shows
        yield page


def _tab(page, name):
    return page.get_by_role("tab", name=name)


def _is_open(page, name, words):
    expect(_tab(page, name)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator('[role="tab"][aria-selected="true"]')).to_have_count(2)  # one in each row


def test_a_click_opens_one_panel_draws_nothing_else_and_stands_in_the_address(page):
    _tab(page, "Last (2)").click()

    _is_open(page, "Last (2)", "the last one's words")
    expect(page.get_by_text("the first one's words")).to_be_hidden()
    expect(page.get_by_text("words here")).to_be_visible()
    expect(page.get_by_text("Run 1 of the page")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?tab=last$"))

    _tab(page, "There").click()
    _is_open(page, "There", "words there")
    expect(page).to_have_url(re.compile(r"\?tab=last&low=there$"))
    expect(page.get_by_text("the last one's words")).to_be_visible()


def test_arrows_and_ends_step_along_and_modified_keys_are_the_browsers(page):
    _tab(page, "First").focus()
    page.keyboard.press("End")
    _is_open(page, "Last (2)", "the last one's words")
    expect(_tab(page, "Last (2)")).to_be_focused()
    page.keyboard.press("ArrowRight")
    _is_open(page, "First", "the first one's words")
    page.keyboard.press("Control+ArrowLeft")
    page.keyboard.press("Shift+End")
    _is_open(page, "First", "the first one's words")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    _is_open(page, "First", "the first one's words")


def test_panels_that_are_hidden_leave_no_gap(page):
    def gap():
        row = page.get_by_role("tablist").first.bounding_box()
        return page.get_by_text("the last one's words").bounding_box()["y"] - row["y"] - row["height"]

    _tab(page, "Last (2)").click()
    _is_open(page, "Last (2)", "the last one's words")
    before = gap()
    _tab(page, "Slow").click()
    _is_open(page, "Slow", "the slow one's words")
    _tab(page, "Last (2)").click()
    _is_open(page, "Last (2)", "the last one's words")

    assert gap() == pytest.approx(before, abs=1)
    expect(page.get_by_text("between")).to_be_visible()


def test_an_answer_to_an_earlier_click_does_not_turn_back_a_later_one(page):
    page.evaluate(
        """() => {
          window.seen = [];
          const row = document.querySelector('[role="tablist"]');
          const say = () => window.seen.push(row.querySelector('[aria-selected="true"]').textContent);
          new MutationObserver(say).observe(row, { subtree: true, attributeFilter: ["aria-selected"] });
        }"""
    )
    _tab(page, "Slow").click()
    page.wait_for_timeout(150)
    _tab(page, "Last (2)").click()
    _is_open(page, "Last (2)", "the last one's words")
    page.wait_for_timeout(1500)

    _is_open(page, "Last (2)", "the last one's words")
    seen = page.evaluate("window.seen")
    assert "Slow" not in seen[seen.index("Last (2)") :]


def test_after_back_the_same_tab_opens_again_and_the_address_says_so(page):
    _tab(page, "Last (2)").click()
    expect(page).to_have_url(re.compile(r"\?tab=last$"))
    settle(page)

    page.evaluate("history.back()")
    expect(page).not_to_have_url(re.compile("tab="))
    _is_open(page, "First", "the first one's words")
    settle(page)
    _tab(page, "Last (2)").click()

    _is_open(page, "Last (2)", "the last one's words")
    expect(page).to_have_url(re.compile(r"\?tab=last$"))
    page.get_by_role("button", name="Again").click()
    _is_open(page, "Last (2)", "the last one's words")
