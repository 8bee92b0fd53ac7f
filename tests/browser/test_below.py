"""What stands below the window, in a real browser: by wheel, by keyboard, and when the browser is busy."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import come_to, settle
from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
address = small_app("below")


@pytest.fixture
def page(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.goto(address)
        page.get_by_role("button", name="Above").wait_for(timeout=30_000)
        settle(page)
        yield page


def test_it_is_drawn_when_a_reader_scrolls_there_and_not_before(page):
    page.wait_for_timeout(1200)
    expect(page.get_by_role("button", name="The part below")).to_have_count(0)

    expect(come_to(page, page.get_by_role("button", name="The part below"))).to_be_visible()


def test_the_keyboard_comes_there_too_and_goes_on_into_it(page):
    page.get_by_role("button", name="Above").focus()
    part = page.get_by_role("button", name="The part below")
    for _ in range(4):  # what is tall can be scrolled, and so is one step
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot?.activeElement?.className") == "place":
            break
    expect(part).to_be_visible()
    page.keyboard.press("Tab")

    expect(part).to_be_focused()


def test_of_changes_that_come_at_once_the_last_is_in_force(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.add_init_script(
            """window.IntersectionObserver = class extends IntersectionObserver {
              constructor(answer) { super((changes) => answer([{ isIntersecting: false }, ...changes])); }
            };"""
        )
        page.goto(address)
        page.get_by_role("button", name="Above").wait_for(timeout=30_000)
        settle(page)

        expect(come_to(page, page.get_by_role("button", name="The part below"))).to_be_visible()
