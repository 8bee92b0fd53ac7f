"""A folded box in a real browser: what opening it draws, and what it leaves alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
address = small_app("folded")


@pytest.fixture
def page(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.goto(address)
        page.get_by_text("Run 1 of the page").wait_for(timeout=30_000)
        yield page


def test_opening_a_box_draws_it_and_nothing_else_again(page):
    expect(page.get_by_text("the other's words")).to_have_count(0)
    page.get_by_text("Other", exact=True).click()

    expect(page.get_by_text("the other's words")).to_be_visible()
    expect(page.get_by_text("Run 1 of the page")).to_be_visible()


def test_what_was_typed_outlives_the_folding_and_the_result(page):
    page.get_by_label("Name").fill("mine")
    page.get_by_text("New", exact=True).click()
    expect(page.get_by_label("Name")).to_be_hidden()
    page.get_by_text("New", exact=True).click()
    expect(page.get_by_label("Name")).to_have_value("mine")
    settle(page)

    page.get_by_role("button", name="Make").click()

    expect(page.get_by_text("Run 2 of the page")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_hidden()  # there is a result now: the form makes way
    page.get_by_text("New", exact=True).click()
    expect(page.get_by_label("Name")).to_have_value("mine")


def test_a_form_that_changes_what_links_carry_has_the_whole_page_drawn(page):
    page.get_by_role("button", name="Choose").click()

    expect(page.get_by_text("Run 2 of the page, model m-0123456789ab")).to_be_visible()
