"""Rules go into force by two officers, in a browser: write, try, submit, approve, publish, compare, roll back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.conftest import Visit
from tests.browser.looks import find_faults
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser

WORDS = {
    "en-US": {
        "save": "Save in the draft",
        "submit": "Submit for approval",
        "approve": "Approve",
        "publish": "Publish",
    },
    "zh-CN": {"save": "存入草稿", "submit": "提交审批", "approve": "批准", "publish": "发布"},
}


@pytest.fixture(scope="module")
def ruling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    process = PortalProcess(tmp_path_factory.mktemp("ruling") / "data", PORTAL_ENGINE="scripted").start()
    process.add_account("hua", role="officer")
    yield process
    process.stop()


def state_of(visit: Visit, portal: PortalProcess, login: str) -> StorageState:
    person = visit(portal)
    person.sign_in(login)
    expect(person.page).not_to_have_url(f"{portal.url}/accounts/login/")
    return person.page.context.storage_state()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def write_and_submit(page: Page, url: str, words: dict[str, str], *, code: str, keyword: str) -> str:
    """Write a rule, try it, and submit it; return the address of the version."""
    page.goto(f"{url}/console/policy/new/")
    page.locator("#id_code").fill(code)
    page.locator("#id_title").fill(f"Words of {code}")
    page.locator("#id_keywords").fill(keyword)
    press(page, words["save"])
    page.goto(f"{url}/console/policy/")
    page.locator('a[href*="/policy/versions/"]:not([href$="/versions/"])').first.click()
    page.locator('form[action$="/try/"] button').click()
    expect(page.locator("#dry ~ .dim, .table").first).to_be_visible(timeout=60_000)
    page.locator("#note").fill("for the new season")
    press(page, words["submit"])
    # Whoever submitted cannot approve: there is no such button.
    expect(page.get_by_role("button", name=words["approve"], exact=True)).to_have_count(0)
    return page.url


@pytest.mark.parametrize("locale", WORDS)
def test_two_officers_put_rules_into_force_and_roll_them_back(
    locale: str, visit: Visit, ruling: PortalProcess
) -> None:
    words, tag = WORDS[locale], locale[:2].upper()
    first_state, second_state = (state_of(visit, ruling, login) for login in ("officer", "hua"))
    first = visit(ruling, state=first_state, locale=locale).page
    second = visit(ruling, state=second_state, locale=locale).page
    address = write_and_submit(first, ruling.url, words, code=f"TWO-{tag}", keyword=f"heron{tag.lower()}")
    assert find_faults(first) == []
    second.goto(address)
    expect(second.get_by_text(f"TWO-{tag}").first).to_be_visible()
    assert find_faults(second) == []
    press(second, words["approve"])
    expect(second.get_by_role("button", name=words["approve"], exact=True)).to_have_count(0)
    first.goto(address)
    press(first, words["publish"])
    expect(first.get_by_role("button", name=words["publish"], exact=True)).to_have_count(0)
    first.goto(f"{ruling.url}/console/policy/rules/TWO-{tag}/")
    expect(first.locator("#rule")).to_contain_text(f"TWO-{tag}")
    assert find_faults(first) == []
    first.goto(f"{ruling.url}/console/policy/versions/")
    assert find_faults(first) == []
    if locale == "zh-CN":  # There are two versions by now.
        address = roll_back(first, ruling.url, place=-1)
        expect(first.get_by_text("等待第二人").first).to_be_visible()
        second.goto(address)
        press(second, words["approve"])
        first.goto(address)
        press(first, words["publish"])
        expect(first.get_by_role("button", name=words["publish"], exact=True)).to_have_count(0)
        english = visit(ruling, state=first_state, locale="en-US").page
        roll_back(english, ruling.url, place=-2)
        expect(english.get_by_text("is in force again").first).to_be_visible()
        assert find_faults(english) == []


def roll_back(page: Page, url: str, *, place: int) -> str:
    """Ask for an earlier version again, by its place in the list; return the address of what comes of it.

    The first one has a rule less than what is in force, so it waits for the second officer; the other has it again.
    """
    page.goto(f"{url}/console/policy/versions/")
    page.locator('main a[href*="/policy/versions/"]').nth(place).click()
    form = page.locator('form[action$="/rollback/"]')
    if not form.is_visible():
        page.locator("details:has(form[action$='/rollback/']) summary").click()
    form.locator("textarea").fill("back to an earlier one")
    form.locator("button").click()
    assert find_faults(page) == []
    return page.url
