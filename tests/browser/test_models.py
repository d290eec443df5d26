"""The model pages: in every state, with and without scripts, and while something goes on."""

from __future__ import annotations

import fcntl
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Enter, Visit
from tests.browser.looks import find_faults
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """A portal with five artefacts in its store; what answers is the scripted engine."""
    process = PortalProcess(tmp_path_factory.mktemp("shelf") / "data", PORTAL_ENGINE="scripted")
    process.start().manage("shell", "-c", "from tests.browser import shelf; shelf.fill()")
    yield process
    process.stop()


def query(portal: PortalProcess, sql: str, *values: object) -> list[tuple[str, ...]]:
    with sqlite3.connect(portal.data_dir / "portal.sqlite3", timeout=10) as connection:
        rows = connection.execute(sql, values).fetchall()
    connection.close()
    return rows


def artifact(portal: PortalProcess, revision: int) -> str:
    """Return the id of an artefact as it is stored."""
    return query(portal, "SELECT id FROM registry_modelartifact WHERE revision = ?", revision)[0][0]


def address(portal: PortalProcess, revision: int, act: str = "") -> str:
    return f"/console/models/{uuid.UUID(artifact(portal, revision))}/{act}"


@contextmanager
def evaluating(portal: PortalProcess, revision: int) -> Iterator[str]:
    """Stand for another process that evaluates: it holds the lock and has a row."""
    key = uuid.uuid4().hex
    names = "id, artifact_id, state, started_at, is_quick, banks, corpora, engine, library, threads, slots, sandbox"
    names += ", portal_version, phase, done, total, stop_requested, error"
    values: tuple[object, ...] = (
        key,
        artifact(portal, revision),
        "running",
        datetime.now(UTC).isoformat(" "),
        False,
        "[]",
        "{}",
    )
    values += ("llamacpp", "", 2, 4, "", "0.1.0", "refusal", 100, 400, False, "")
    marks = ", ".join("?" * len(values))
    with (portal.data_dir / "evaluate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        query(portal, f"INSERT INTO registry_modelevaluation ({names}) VALUES ({marks})", *values)
        try:
            yield key
        finally:
            query(portal, "UPDATE registry_modelevaluation SET state = 'stopped' WHERE state = 'running'")


STATES = {
    "operator": ("operator", ""),
    "officer": ("officer", ""),
    "admin": ("admin", ""),
    "candidate": ("operator", "4"),
    "draft": ("operator", "5"),
    "in use": ("admin", "3"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_model_page_is_accessible_and_fits(name: str, enter: Enter, shelf: PortalProcess) -> None:
    login, revision = STATES[name]
    path = address(shelf, int(revision)) if revision else "/console/models/"
    person = enter(shelf, login).go(path)
    expect(person.page.locator("h1")).to_be_visible()
    assert find_faults(person.page) == []


def test_what_asks_before_and_what_goes_on_are_accessible_and_fit(enter: Enter, shelf: PortalProcess) -> None:
    person = enter(shelf, "operator")
    assert find_faults(person.go("/console/models/rollback/").page) == []
    with evaluating(shelf, 5):
        person.go(address(shelf, 5))
        expect(person.page.get_by_role("status").first).to_contain_text("100 of 400")
        assert find_faults(person.page) == []


def test_a_shelf_without_artefacts_is_accessible_and_fits(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively, "operator").go("/console/models/")
    expect(person.page.get_by_text("No artefact yet")).to_be_visible()
    assert find_faults(person.page) == []


def test_the_pages_are_in_chinese_too(visit: Visit, enter: Enter, shelf: PortalProcess) -> None:
    state = enter(shelf, "operator").page.context.storage_state()
    person = visit(shelf, state=state, locale="zh-CN").go("/console/models/")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("模型登记")
    assert find_faults(person.page) == []


def test_a_reason_frees_the_button_and_keys_are_enough(enter: Enter, shelf: PortalProcess) -> None:
    page = enter(shelf, "officer").go(address(shelf, 4)).page
    approve, reject = (page.get_by_role("button", name=name) for name in ("Approve and sign", "Reject"))
    expect(approve).to_be_disabled()
    expect(reject).to_be_disabled()
    area = page.get_by_label(re.compile("Reason for accepting"))
    area.focus()
    page.keyboard.type("only under full load")
    expect(approve).to_be_enabled()
    area.fill("   ")
    expect(approve).to_be_disabled()
    area.fill("only under full load")
    page.keyboard.press("Tab")
    expect(approve).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved and signed.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="only under full load").first).to_be_visible()


@pytest.fixture
def plain(chromium: Browser, enter: Enter, shelf: PortalProcess) -> Iterator[Page]:
    """An operator's browser that runs no scripts."""
    state = enter(shelf, "operator").page.context.storage_state()
    context = chromium.new_context(storage_state=state, locale="en-US", java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_the_server_asks_for_the_reason(plain: Page, shelf: PortalProcess) -> None:
    plain.goto(shelf.url + address(shelf, 4))
    reject = plain.get_by_role("button", name="Reject")
    if reject.count():
        reject.click()
        expect(plain.get_by_role("alert")).to_contain_text("Please give a reason in writing.")
    plain.goto(shelf.url + address(shelf, 5))
    plain.get_by_role("button", name="Submit for approval").click()
    expect(plain.get_by_role("alert")).to_contain_text("Please give a reason in writing.")
    plain.get_by_label(re.compile("Reason for accepting")).fill("no tools are connected")
    plain.get_by_role("button", name="Submit for approval").click()
    expect(plain.get_by_text("Submitted for approval.")).to_be_visible()
    expect(plain.get_by_text("another operator or a security officer decides on it")).to_be_visible()


def test_an_evaluation_is_followed_without_a_reload(enter: Enter, shelf: PortalProcess) -> None:
    page = enter(shelf, "operator").go("/console/models/").page
    with evaluating(shelf, 3) as key:
        page.reload()
        status = page.get_by_role("status").filter(has_text="Evaluation under way")
        expect(status).to_contain_text("100 of 400")
        page.evaluate("document.body.dataset.mark = 'the same page'")
        query(shelf, "UPDATE registry_modelevaluation SET done = 250 WHERE id = ?", key)
        expect(status).to_contain_text("250 of 400")
        expect(status.get_by_role("img")).to_have_attribute("aria-label", "62 percent done")
        assert page.evaluate("document.body.dataset.mark") == "the same page"
    expect(status).to_have_count(0)
    page.wait_for_function("!document.body.dataset.mark")


def test_rolling_back_goes_by_the_word(enter: Enter, shelf: PortalProcess) -> None:
    page = enter(shelf, "operator").go("/console/models/").page
    page.get_by_role("link", name="Roll back to r2").click()
    page.get_by_label(re.compile("^Reason")).fill("slow at the start of the day")
    page.get_by_label(re.compile("to confirm")).fill("roll back")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back to r2.")).to_be_visible()
    page.goto(f"{shelf.url}/console/models/")
    steps = page.get_by_role("complementary").filter(has_text="Activation and roll back")
    expect(steps.get_by_role("listitem").first).to_contain_text("r3 → r2 rolled back")
    expect(steps).to_contain_text("slow at the start of the day")
