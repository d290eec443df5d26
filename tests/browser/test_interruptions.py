"""What comes between a person and an answer: a lost line, a reload, a rule, a limit, another tab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter, Visit
from tests.browser.person import Line, Person
from tests.browser.test_conversation import counted
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser
IDENTITY = "11010519491231002X"


def test_a_page_that_is_reloaded_in_mid_answer_loses_and_repeats_nothing(
    enter: Enter, lively: PortalProcess
) -> None:
    person = enter(lively).go("/").say("Count 150").wait_for_word("word9")
    person.page.reload()
    expect(person.halt).to_be_visible()
    person.wait_for_answer()
    expect(person.answer.locator(".prose")).to_have_text(counted("Count 150", 150))
    expect(person.messages).to_have_count(2)


def test_a_line_that_breaks_is_mended_and_the_answer_goes_on(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively)
    line = Line(person.page)
    person.go("/").say("Count 150").wait_for_word("word9")
    line.cut()
    expect(person.note).to_contain_text("Connection lost; reconnecting (attempt 2)")
    expect(person.answer).to_contain_text("Interrupted; what has come so far is kept.")
    assert "word9" in person.answer.inner_text()
    person.field.fill("a draft")
    expect(person.send).to_be_hidden()
    line.mend()
    expect(person.note).to_have_count(0)
    person.wait_for_answer()
    expect(person.answer.locator(".prose")).to_have_text(counted("Count 150", 150))
    expect(person.field).to_have_value("a draft")
    expect(person.send).to_be_enabled()
    assert line.resumed == 1


def test_an_identity_number_is_blacked_out_and_the_draft_comes_back(
    enter: Enter, lively: PortalProcess
) -> None:
    person = enter(lively).go("/")
    draft = f"Please check {IDENTITY} for me"
    person.say(draft)
    bubble = person.page.locator(".bubble")
    expect(bubble).to_have_text(f"Please check {'•' * 18} for me")
    expect(person.answer).to_contain_text("This message was not sent to the model")
    expect(person.answer).to_contain_text("PII-ID-01")
    expect(person.answer).to_contain_text("(characters 14–31)")
    expect(person.answer.locator(".aigc")).to_have_count(0)
    expect(person.page).to_have_url(f"{lively.url}/")
    person.answer.get_by_role("button", name="Edit and resend").click()
    expect(person.field).to_have_value(draft)
    expect(person.messages).to_have_count(0)
    person.ask("Please check this for me 2")
    expect(person.answer).to_contain_text("word2")


def test_an_answer_against_a_rule_is_withdrawn_for_good(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/").say("保本 和 保本保息 3").wait_for_answer("blocked")
    sealed = person.answer.get_by_role("alert")
    expect(sealed).to_contain_text("The answer was stopped by an output rule")
    expect(sealed).to_contain_text("OUT-FIN-01 Promise of guaranteed returns")
    expect(person.answer.locator(".aigc, .prose")).to_have_count(0)
    person.page.reload()
    expect(sealed).to_contain_text("OUT-FIN-01")
    expect(person.answer.locator(".aigc, .prose")).to_have_count(0)
    sealed.get_by_role("button", name="Ask in another way").click()
    expect(person.field).to_have_value("保本 和 保本保息 3")
    person.say("Another way 3").wait_for_answer()
    expect(person.messages).to_have_count(2)


def test_consent_that_is_withdrawn_elsewhere_closes_the_open_chat(
    visit: Visit, undecided: PortalProcess
) -> None:
    person = visit(undecided).sign_in("member")
    person.agree().say("Count 500").wait_for_word("word5")
    other = Person(person.page.context.new_page(), undecided.url).go("/privacy/")
    other.page.get_by_role("button", name="Withdraw consent").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Withdraw consent").click()
    expect(other.page).to_have_url(f"{undecided.url}/consent/")
    expect(person.page).to_have_url(f"{undecided.url}/consent/")
    person.go("/")
    expect(person.page).to_have_url(f"{undecided.url}/consent/")
    expect(person.page.get_by_role("dialog")).to_be_visible()
