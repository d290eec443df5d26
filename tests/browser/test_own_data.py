"""The page of one's own data: what is kept, and taking it back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


def test_everything_is_cleared_by_the_typed_word_and_by_no_other(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("to be forgotten 2").go("/privacy/")
    page = person.page
    page.get_by_role("button", name="Clear all…").click()
    word = page.get_by_label("Type “delete” to confirm")
    word.fill("remove")
    page.get_by_role("button", name="Clear all", exact=True).click()
    assert word.evaluate("field => field.matches(':invalid')")
    word.fill("delete")
    page.get_by_role("button", name="Clear all", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".trio")).to_contain_text("Saved conversations 0", use_inner_text=False)
    expect(page.get_by_role("button", name="Clear all…")).to_have_count(0)
    person.go("/")
    expect(page.get_by_text("No conversations yet.")).to_be_visible()


def test_the_notice_that_was_agreed_to_can_be_read_again(enter: Enter, lively: PortalProcess) -> None:
    page = enter(lively).go("/privacy/").page
    page.get_by_role("link", name="Read what you agreed to").first.click()
    expect(page).to_have_url(f"{lively.url}/consent/notice/1/")
    expect(page.locator("article")).to_contain_text("You agreed on")
