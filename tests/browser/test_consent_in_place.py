"""What a rule asks consent for goes on only when the person says so; the keyboard is enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.browser.looks import find_faults
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser

PHONE = "13800138000"
DRAFT = f"Please ring {PHONE} 2"
# Of the base, mobile numbers are masked; this organisation asks instead.
ASK = """
from accounts.models import User
from tests.console import policy_support as support
first = User.objects.get(role="officer")
second = support.officer("hua", first.tenant)
support.publish(first, second, {"code": "PII-PHONE-01", "input": "consent"})
"""
RECORDED = """
from audit.models import AuditEvent
rows = AuditEvent.objects.filter(action="consent.sensitive").order_by("seq")
print([(row.object_id, row.status) for row in rows])
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    process = PortalProcess(
        tmp_path_factory.mktemp("asking") / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="20"
    )
    process.start().manage("shell", "-c", ASK)
    yield process
    process.stop()


def recorded(portal: PortalProcess) -> str:
    return portal.manage("shell", "-c", RECORDED).stdout


@pytest.mark.parametrize("width", [390, 1440])
def test_declining_keeps_the_draft_and_sends_nothing(width: int, enter: Enter, asking: PortalProcess) -> None:
    person = enter(asking, width=width).go("/").say(DRAFT)
    dialog = person.page.get_by_role("alertdialog", name="Do you agree that this is used?")
    expect(dialog).to_contain_text("PII-PHONE-01")
    expect(dialog).to_contain_text("(characters 13–23)")
    expect(person.page.locator(".bubble")).not_to_contain_text(PHONE)
    assert find_faults(person.page) == []
    dialog.get_by_role("button", name="Cancel").click()
    expect(person.field).to_have_value(DRAFT)
    expect(person.messages).to_have_count(0)
    expect(person.page).to_have_url(f"{asking.url}/")
    person.field.fill("")


def test_agreeing_by_keyboard_sends_the_text_and_records_the_consent(
    enter: Enter, asking: PortalProcess
) -> None:
    person = enter(asking).go("/").say(DRAFT)
    agree = person.page.get_by_role("button", name="Agree and send")
    expect(agree).to_be_focused()
    person.page.keyboard.press("Enter")
    person.wait_for_answer()
    expect(person.page.locator(".bubble").first).to_contain_text(PHONE)
    assert "('PII-PHONE-01', 403), ('PII-PHONE-01', 200)" in recorded(asking)


def test_masking_sends_the_text_without_the_number(enter: Enter, asking: PortalProcess) -> None:
    person = enter(asking).go("/").say(DRAFT)
    expect(person.page.get_by_role("button", name="Agree and send")).to_be_focused()
    person.page.keyboard.press("Tab")
    person.page.keyboard.press("Enter")
    person.wait_for_answer()
    expect(person.page.locator(".bubble").first).not_to_contain_text(PHONE)
