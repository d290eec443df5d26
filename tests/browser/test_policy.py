"""The policy pages: in every state, by keys alone, and the bench with and without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Enter, Visit
from tests.browser.looks import find_faults
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser

PHONE = "13800000000"
FILL = """
from accounts.models import User
from tests.console import policy_support as support
first = User.objects.get(role="officer")
second = support.officer("hua", first.tenant)
support.publish(first, second)
support.draft(first, support.PAY | {"keywords": ["salary table", "bonus list"]}, support.CASES,
              support.PAY | {"code": "LONG-01", "keywords": [f"word number {at}" for at in range(300)]})
"""
PATHS = {
    "list": "/console/policy/",
    "pattern": "/console/policy/rules/NORTH-02/",
    "new rule": "/console/policy/new/",
    "no own rules": "/console/policy/?q=nothing",
    "words": "/console/policy/rules/LONG-01/words/",
    "history": "/console/policy/versions/",
}


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal whose organisation has published rules and has a draft."""
    process = PortalProcess(tmp_path_factory.mktemp("ruled") / "data", PORTAL_ENGINE="scripted")
    process.start().manage("shell", "-c", FILL)
    yield process
    process.stop()


@pytest.mark.parametrize("name", PATHS)
def test_a_policy_page_is_accessible_and_fits(name: str, enter: Enter, ruled: PortalProcess) -> None:
    person = enter(ruled, "officer").go(PATHS[name])
    expect(person.page.locator("h1")).to_be_visible()
    assert find_faults(person.page) == []


def test_the_differences_are_accessible_and_fit(enter: Enter, ruled: PortalProcess) -> None:
    page = enter(ruled, "officer").go("/console/policy/").page
    page.get_by_role("link", name="Compare and submit").click()
    expect(page.get_by_text("bonus list")).to_be_visible()
    assert find_faults(page) == []


def test_the_bench_answers_while_somebody_types_and_puts_nothing_into_the_address(
    enter: Enter, ruled: PortalProcess
) -> None:
    page = enter(ruled, "officer").go("/console/policy/").page
    page.evaluate("document.body.dataset.mark = 'the same page'")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Text to try").focus()
    page.keyboard.type(f"call {PHONE}")
    expect(page.get_by_text("Would go on, masked")).to_be_visible()
    expect(page.get_by_text("Characters 6–16")).to_be_visible()
    expect(page.locator(".marked mark")).to_have_text(PHONE)
    page.get_by_text("as an answer").click()
    expect(page.get_by_text("Would be shown, masked")).to_be_visible()
    assert page.evaluate("document.body.dataset.mark") == "the same page"
    assert not [url for url in asked if PHONE in url]
    assert find_faults(page) == []


def test_the_bench_works_without_scripts(chromium: Browser, enter: Enter, ruled: PortalProcess) -> None:
    state = enter(ruled, "officer").page.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=state, locale="en-US")
    page = context.new_page()
    page.goto(f"{ruled.url}/console/policy/")
    page.get_by_label("Text to try").fill(f"call {PHONE}")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("Would go on, masked")).to_be_visible()
    expect(page.get_by_label("Text to try")).to_have_value(f"call {PHONE}")
    assert PHONE not in page.url
    context.close()


def test_the_page_is_in_chinese_too(visit: Visit, enter: Enter, ruled: PortalProcess) -> None:
    state = enter(ruled, "officer").page.context.storage_state()
    person = visit(ruled, state=state, locale="zh-CN").go("/console/policy/")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("策略规则")
    assert find_faults(person.page) == []
