"""The chat page with a real model behind it, and a limit of two messages a minute."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.browser.looks import find_faults
from tests.browser.person import Person
from tests.portal import PortalProcess

pytestmark = [pytest.mark.browser, pytest.mark.model]
QUESTION = "What is the capital of France? Answer in one sentence."


def say_and_wait(person: Person, text: str) -> None:
    """Send a message and wait until its turn is over, or was refused."""
    person.say(text)
    expect(person.halt).to_be_hidden(timeout=60_000)


def test_a_person_gets_a_real_answer_and_is_told_what_the_model_is(enter: Enter, real: PortalProcess) -> None:
    person = enter(real).go("/")
    expect(person.page.locator(".bar-note")).to_contain_text("Small English starter model, not Qwen")
    say_and_wait(person, QUESTION)
    expect(person.answer).to_have_attribute("data-status", re.compile("complete|length"))
    assert len(person.answer.locator(".prose").inner_text().split()) >= 3
    expect(person.answer.locator(".aigc")).to_be_visible()
    expect(person.page.locator(".model")).to_contain_text("SmolLM")


def test_too_many_messages_count_down_and_keep_the_draft(enter: Enter, real: PortalProcess) -> None:
    person = enter(real).go("/")
    # The test before this one may have used a part of the minute's messages.
    for at in range(3):
        say_and_wait(person, f"{QUESTION} {at}")
        if person.note.count():
            break
    expect(person.note).to_contain_text("At most 2 messages per minute. Your draft is kept.")
    expect(person.field).to_have_value(f"{QUESTION} {at}")
    expect(person.send).to_be_disabled()
    expect(person.page.locator('.msg[data-from="me"]')).to_have_count(at)
    count = person.note.locator(".count")
    expect(count).to_have_text(re.compile(r"^0[01]:\d\d$"))
    first = count.inner_text()
    expect(count).not_to_have_text(first)
    assert count.inner_text() < first <= "01:00"
    assert find_faults(person.page) == []
