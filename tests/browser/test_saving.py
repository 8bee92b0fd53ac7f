"""A button that saves a text, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.browser.site import small_app, watched

pytestmark = pytest.mark.browser
address = small_app("saving")


@pytest.fixture
def page(browser, address):
    with watched(browser, width=1200, height=800) as page:
        page.goto(address)
        page.get_by_role("button", name="Save <b>it</b>").wait_for(timeout=30_000)
        settle(page)
        yield page


def _saved(page, tmp_path):
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save <b>it</b>").click()
    assert caught.value.suggested_filename == "words.csv"
    caught.value.save_as(tmp_path / "words.csv")
    return (tmp_path / "words.csv").read_bytes().decode()


def test_each_press_makes_the_text_anew_and_a_run_of_the_page_saves_nothing(page, tmp_path):
    files = []
    page.on("download", lambda download: files.append(download.suggested_filename))

    assert _saved(page, tmp_path) == "\ufeffGrüße 1"
    expect(page.get_by_text("Run 1 of the page")).to_be_visible()
    page.get_by_role("button", name="Again").click()
    expect(page.get_by_text("Run 2 of the page")).to_be_visible()
    settle(page)
    assert files == ["words.csv"]
    assert _saved(page, tmp_path) == "\ufeffGrüße 2"


def test_what_cannot_be_made_says_why_and_can_be_asked_for_again(page):
    button = page.get_by_role("button", name="Save the log")
    button.click()

    expect(page.get_by_text("The log is gone.")).to_be_visible()
    expect(page.get_by_text("Run it again.")).to_be_visible()
    expect(button).to_be_enabled()
    expect(button).to_have_text("Save the log")


def test_a_press_whose_run_gives_way_to_another_is_answered_all_the_same(page):
    button = page.get_by_role("button", name="Save late")
    with page.expect_download() as caught:
        button.click()
        expect(page.get_by_text("Making the file …")).to_be_visible()
        page.wait_for_timeout(300)
        page.get_by_role("button", name="Again").click()
    assert caught.value.suggested_filename == "late.txt"

    expect(page.get_by_text("Run 2 of the page")).to_be_visible()
    settle(page)
    expect(button).to_be_enabled()
    expect(button).to_have_text("Save late")


def _turn_to(page, result):
    """Another result on the page: a press is for the one that the button knows, so that its run has to be over."""
    page.get_by_role("radio", name=result).click()
    expect(page.get_by_text(f"Showing {result}")).to_be_visible(timeout=20_000)
    settle(page)


def test_each_result_is_saved_under_its_own_name(page, tmp_path):
    files = []
    page.on("download", lambda download: files.append(download.suggested_filename))
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save the run").click()
    assert caught.value.suggested_filename == "A.txt"
    _turn_to(page, "B")
    _turn_to(page, "A")
    assert files == ["A.txt"]

    _turn_to(page, "B")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save the run").click()
    caught.value.save_as(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "run B"
    assert caught.value.suggested_filename == "B.txt"
