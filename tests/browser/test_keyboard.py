"""Everything that matters can be done without a mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Enter, Visit
from tests.portal import PASSWORD, PortalProcess

pytestmark = pytest.mark.browser


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element with this name has the focus, and see that the focus is visible."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if name in (focused.get_attribute("aria-label") or focused.inner_text()):
            assert focused.evaluate("at => getComputedStyle(at).outlineStyle") != "none"
            return
    raise AssertionError(f"no way by keyboard to {name}")


def test_from_signing_in_to_stopping_an_answer_by_keyboard_alone(
    visit: Visit, undecided: PortalProcess
) -> None:
    person = visit(undecided).go("/accounts/login/")
    page, keys = person.page, person.page.keyboard
    expect(page.get_by_label("Organisation")).to_be_focused()
    keys.type("demo")
    keys.press("Tab")
    keys.type("member")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_url("**/consent/")
    tab_to(page, "Agree and continue")
    keys.press("Enter")
    expect(person.field).to_be_focused()
    keys.type("Count 500")
    expect(person.send).to_be_enabled()
    keys.press("Enter")
    person.wait_for_word("word5")
    tab_to(page, "Stop (Esc)")
    keys.press("Enter")
    person.wait_for_answer("stopped")
    expect(person.field).to_be_focused()
    keys.type("Again 500")
    keys.press("Enter")
    person.wait_for_word("Again 500 word1 word2")
    keys.press("Escape")
    person.wait_for_answer("stopped")


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(
    enter: Enter, lively: PortalProcess
) -> None:
    page = enter(lively, "auditor").go("/audit/").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_the_help_lists_the_keys_and_can_switch_single_keys_off(enter: Enter, lively: PortalProcess) -> None:
    page = enter(lively, "auditor").go("/audit/").page
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Shortcuts")
    expect(dialog).to_be_visible()
    dialog.get_by_role("switch").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(dialog).to_be_hidden()
    expect(page.locator(".audit td a:focus")).to_have_count(0)


def test_the_side_bar_is_put_away_and_stays_away(enter: Enter, lively: PortalProcess) -> None:
    page = enter(lively).go("/").page
    expect(page.locator(".side")).to_be_visible()
    page.keyboard.press("Control+b")
    expect(page.locator(".side")).to_be_hidden()
    page.reload()
    expect(page.locator(".side")).to_be_hidden()
    page.get_by_role("button", name="Show the side bar (Ctrl+B)").click()
    expect(page.locator(".side")).to_be_visible()
