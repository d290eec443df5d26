"""The pages of auditor, admin, officer and operator."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


def test_the_auditor_filters_opens_a_record_and_verifies(enter: Enter, lively: PortalProcess) -> None:
    enter(lively).go("/").ask("for the record 2")
    page = enter(lively, "auditor").go("/audit/").page
    page.get_by_label("Action").select_option("chat.complete")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".audit tbody tr").first).to_contain_text("chat.complete")
    kinds = set(page.locator(".audit tbody td:nth-child(4) .mono").all_inner_texts())
    assert kinds == {"chat.complete"}
    page.locator(".audit tbody td.seq a").first.click()
    drawer = page.get_by_role("complementary").filter(has_text="Linked by hash")
    expect(drawer.get_by_role("heading")).to_contain_text("chat.complete")
    expect(drawer).to_contain_text("The words are not recorded")
    expect(page).to_have_url(re.compile(r"/audit/\d+/\?.*action=chat\.complete"))
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
    expect(page.get_by_label("Action")).to_have_value("chat.complete")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status").first).to_contain_text("The chain is whole")
    expect(page.locator(".audit tbody")).to_contain_text("audit.verify")
    assert "for the record" not in page.content()


def test_records_are_walked_by_keys_and_a_bad_filter_is_explained(
    enter: Enter, lively: PortalProcess
) -> None:
    page = enter(lively, "auditor").go("/audit/").page
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".audit tbody tr:nth-child(2) td.seq a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".drawer")).to_be_visible()
    page.get_by_role("link", name="Close").click()
    page.get_by_role("textbox", name="Actor").fill("Mei Lin")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("Write the pseudonym or its beginning")


def test_a_changed_byte_breaks_the_chain_before_the_auditors_eyes(enter: Enter, real: PortalProcess) -> None:
    auditor = enter(real, "auditor").go("/audit/")
    expect(auditor.page.get_by_text("The chain is whole")).to_be_visible()
    tamper(real.data_dir / "portal.sqlite3", seq=3)
    auditor.go("/audit/")
    alert = auditor.page.get_by_role("alert")
    expect(alert).to_contain_text("The chain breaks at record 3")
    expect(auditor.page.locator('tr[data-chain="broken"] td.seq')).to_have_text("3")
    auditor.go("/audit/3/")
    expect(auditor.page.locator(".drawer")).to_contain_text("This record does not match its hash")


def tamper(database: Path, *, seq: int) -> None:
    """Change one letter of an event, behind the guards that the portal has set up."""
    with sqlite3.connect(database, timeout=10) as connection:
        guards = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_auditevent'"
        ).fetchall()
        for name, _sql in guards:
            connection.execute(f'DROP TRIGGER "{name}"')
        where = "seq = ? AND tenant_id = (SELECT id FROM tenants_tenant WHERE code = 'demo')"
        changed = connection.execute(f"UPDATE audit_auditevent SET status = status + 1 WHERE {where}", [seq])
        assert changed.rowcount == 1
        for _name, sql in guards:
            connection.execute(sql)
    connection.close()


def test_the_admin_sees_figures_of_today(enter: Enter, lively: PortalProcess) -> None:
    enter(lively).go("/").ask("one for the count 2")
    page = enter(lively, "admin").go("/console/").page
    requests = page.locator(".kpi", has=page.get_by_role("heading", name="Requests today"))
    assert int(requests.locator(".v").inner_text()) > 0
    expect(page.get_by_role("region", name="The last seven days").locator("tbody tr")).to_have_count(7)


def test_the_officer_sees_the_rules_in_force(enter: Enter, lively: PortalProcess) -> None:
    page = enter(lively, "officer").go("/console/policy/").page
    expect(page.locator("main")).to_contain_text("PII-ID-01")
    expect(page.locator("main")).to_contain_text("INJ-01")


def test_the_operator_sees_the_installation_and_no_conversation(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively, "operator").go("/console/installation/")
    expect(person.page.get_by_role("row", name=re.compile("^demo"))).to_contain_text("active")
    expect(person.page.locator(".badge").first).to_contain_text("ready")
    for path in ("/privacy/", "/consent/", "/audit/", "/console/"):
        person.go(path)
        expect(person.page.get_by_role("heading", level=1)).to_have_text("This page was not found")
