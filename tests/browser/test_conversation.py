"""A conversation: asking, reading, stopping, asking again, and keeping order among conversations."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser
ADDRESS = re.compile(r"/c/[0-9a-f-]{36}/$")


def counted(text: str, number: int) -> str:
    """Return what the scripted engine answers."""
    return " ".join([text, *(f"word{at}" for at in range(1, number + 1))])


def test_a_first_message_streams_in_and_makes_a_conversation(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/")
    person.say("Herons by the river 40")
    expect(person.page.locator('.msg[data-from="me"]')).to_have_text("Herons by the river 40")
    person.wait_for_word("word3")
    expect(person.halt).to_be_visible()
    assert "word40" not in person.answer.inner_text()
    person.wait_for_answer()
    expect(person.answer.locator(".prose")).to_have_text(counted("Herons by the river 40", 40))
    expect(person.answer.locator(".aigc")).to_have_text("AI-generated")
    expect(person.answer.locator(".stat")).to_contain_text("45 tokens · first token 0.")
    expect(person.page).to_have_url(ADDRESS)
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Herons by the river 40")
    expect(person.conversations.first).to_have_text("Herons by the river 40")
    person.page.reload()
    expect(person.messages).to_have_count(2)
    expect(person.answer.locator(".prose")).to_have_text(counted("Herons by the river 40", 40))


def test_a_second_message_goes_on_in_the_same_conversation(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("one 3")
    address = person.page.url
    used = int(person.page.locator("#used").inner_text())
    person.ask("two 4")
    assert person.page.url == address
    assert int(person.page.locator("#used").inner_text()) > used
    person.page.reload()
    expect(person.messages).to_have_text([re.compile(text) for text in ("one 3", "one 3", "two 4", "word4")])


def test_markup_is_rendered_when_the_answer_is_complete_and_never_run(
    enter: Enter, lively: PortalProcess
) -> None:
    person = enter(lively).go("/").ask("**bold** `code` <img src=x onerror=alert(1)> 2")
    expect(person.answer.locator(".prose strong")).to_have_text("bold")
    expect(person.answer.locator(".prose code")).to_have_text("code")
    expect(person.page.locator(".msg img")).to_have_count(0)


def test_stop_ends_the_answer_and_keeps_what_there_was(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").say("Please count 500")
    person.wait_for_word("word5")
    person.halt.click()
    person.wait_for_answer("stopped")
    expect(person.answer).to_contain_text("You stopped this answer.")
    text = person.answer.locator(".prose").inner_text()
    assert text.startswith("Please count 500 word1 word2 ")
    assert "word500" not in text
    person.page.reload()
    expect(person.answer.locator(".prose")).to_have_text(text)
    expect(person.answer).to_contain_text("You stopped this answer.")


def test_an_answer_can_be_written_anew(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("Say it 5")
    before = person.answer.get_attribute("data-id") or ""
    person.answer.get_by_role("button", name="Regenerate").click()
    expect(person.answer).not_to_have_attribute("data-id", before)
    person.wait_for_answer()
    expect(person.messages).to_have_count(2)
    expect(person.answer).to_contain_text("word5")


def test_the_last_message_can_be_changed_and_asked_again(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("A heron 2")
    person.page.get_by_role("button", name="Edit and resend").click()
    expect(person.field).to_have_value("A heron 2")
    person.say("An egret 2").wait_for_answer()
    expect(person.messages).to_have_count(2)
    expect(person.answer).to_contain_text("An egret 2 word1 word2")
    person.page.reload()
    expect(person.messages).to_have_count(2)
    expect(person.messages.first).to_have_text("An egret 2")


def test_a_copied_answer_says_that_it_is_from_ai(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("copy 2")
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.answer.get_by_role("button", name="Copy").click()
    expect(person.answer.locator("[data-copy]")).to_have_attribute("title", "Copied")
    copied = person.page.evaluate("navigator.clipboard.readText()")
    assert copied == "copy 2 word1 word2\n\nAI-generated"


def test_a_temporary_chat_leaves_no_trace_in_the_list(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/")
    listed = person.conversations.all_inner_texts()
    person.page.get_by_role("switch", name="Do not save").check()
    expect(person.note).to_contain_text("Temporary chat")
    person.ask("for now only 3").ask("and on 3")
    expect(person.page).to_have_url(f"{lively.url}/?temporary=1")
    person.page.reload()
    expect(person.messages).to_have_count(0)
    assert person.conversations.all_inner_texts() == listed


def test_a_conversation_can_be_renamed(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("old name 2")
    person.page.get_by_role("button", name="Conversation actions").click()
    person.page.get_by_role("button", name="Rename").click()
    person.page.get_by_role("textbox", name="Title").fill("Herons & egrets")
    person.page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Herons & egrets")
    expect(person.conversations.first).to_have_text("Herons & egrets")


def test_a_conversation_can_be_deleted_from_the_list(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("short-lived 2")
    address = person.page.url
    person.page.get_by_role("button", name="More: short-lived 2").click()
    person.page.get_by_role("button", name="Delete").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("short-lived 2")
    dialog.get_by_role("button", name="Delete").click()
    expect(person.page).to_have_url(f"{lively.url}/")
    expect(person.page.get_by_role("link", name="short-lived 2", exact=True)).to_have_count(0)
    person.page.goto(address)
    expect(person.page.get_by_role("heading", level=1)).to_have_text("This page was not found")


def test_the_list_is_searched_by_title(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").ask("kingfisher 2").go("/").ask("cormorant 2")
    person.page.keyboard.press("Control+k")
    person.page.keyboard.type("KINGF")
    expect(person.page.locator(".conv:visible a")).to_have_text(["kingfisher 2"])
    person.page.keyboard.type("zzz")
    expect(person.page.get_by_text("No conversation listed here has this in its title.")).to_be_visible()
