"""The chat page with a real model behind it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.portal import PortalProcess

pytestmark = [pytest.mark.browser, pytest.mark.model]


# The portal comes first, so that it ends last: an open page would complain of a server that is gone.
def test_a_person_gets_a_real_answer_and_is_told_what_the_model_is(real: PortalProcess, visit: Visit) -> None:
    person = visit(real).sign_in("member").agree()
    expect(person.page.locator(".bar-note")).to_contain_text("Small English starter model, not Qwen")
    person.say("What is the capital of France? Answer in one sentence.")
    expect(person.answer).to_have_attribute("data-status", "complete", timeout=60_000)
    assert len(person.answer.locator(".prose").inner_text().split()) >= 3
    expect(person.answer.locator(".aigc")).to_be_visible()
    expect(person.page.locator(".model")).to_contain_text("SmolLM")
