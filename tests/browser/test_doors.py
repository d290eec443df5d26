"""The doors: signing in, being locked out, agreeing and declining, and where each role arrives."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Enter, Visit
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


def test_a_wrong_password_is_said_and_the_names_stay_in_the_form(visit: Visit, lively: PortalProcess) -> None:
    page = visit(lively).sign_in("member", password="not a heron").page
    expect(page.get_by_role("alert")).to_have_text("Organisation, user name or password is not right.")
    expect(page.get_by_label("User name")).to_have_value("member")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")


def test_the_password_can_be_looked_at(visit: Visit, lively: PortalProcess) -> None:
    page = visit(lively).go("/accounts/login/").page
    field = page.get_by_label("Password", exact=True)
    page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide password").click()
    expect(field).to_have_attribute("type", "password")


def test_after_the_last_try_the_door_is_locked_and_counts_down(visit: Visit, lively: PortalProcess) -> None:
    person = visit(lively)
    for _ in range(3):
        person.sign_in("stranger")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Sign-in locked")
    count = person.page.locator("[data-count]")
    first = count.inner_text()
    assert re.fullmatch(r"1[45]:\d\d", first)
    expect(count).not_to_have_text(first)
    person.sign_in("stranger")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Sign-in locked")


def test_who_declines_is_signed_out_and_who_agrees_may_chat(visit: Visit, undecided: PortalProcess) -> None:
    person = visit(undecided).sign_in("member")
    expect(person.page).to_have_url(f"{undecided.url}/consent/")
    expect(person.page.get_by_role("dialog")).to_contain_text("Before you start, please confirm")
    person.page.get_by_role("button", name="Decline and sign out").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("You declined and are signed out")
    person.go("/")
    expect(person.page).to_have_url(re.compile("/accounts/login/"))
    person.sign_in("member")
    person.page.get_by_role("button", name="Agree and continue").click()
    expect(person.page).to_have_url(f"{undecided.url}/")
    expect(person.field).to_be_focused()


@pytest.mark.parametrize(
    ("login", "path", "heading"),
    [
        ("member", "/", "What would you like to do today?"),
        ("admin", "/console/", "Dashboard"),
        ("officer", "/console/policy/", "Policy rules"),
        ("auditor", "/audit/", "Audit log"),
        ("operator", "/console/installation/", "Installation"),
    ],
)
def test_each_role_arrives_at_its_own_page(
    enter: Enter, lively: PortalProcess, login: str, path: str, heading: str
) -> None:
    page = enter(lively, login).go("/").page
    expect(page).to_have_url(lively.url + path)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_signing_out_shuts_the_chat(visit: Visit, lively: PortalProcess) -> None:
    person = visit(lively).sign_in("member").agree()
    other = type(person)(person.page.context.new_page(), lively.url).go("/")
    expect(other.field).to_be_visible()
    person.page.locator(".me").click()
    person.page.get_by_role("button", name="Sign out").click()
    expect(person.page).to_have_url(f"{lively.url}/accounts/login/")
    expect(other.page).to_have_url(re.compile(r"/accounts/login/\?next=(%2F|/)$"))


def test_the_language_can_be_switched_and_is_remembered(visit: Visit, lively: PortalProcess) -> None:
    person = visit(lively).go("/accounts/login/")
    html = person.page.locator("html")
    expect(html).to_have_attribute("lang", "en")
    person.page.get_by_role("button", name="切换到中文").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("登录")
    expect(html).to_have_attribute("lang", "zh-CN")
    person.go("/consent/declined/")
    expect(html).to_have_attribute("lang", "zh-CN")
    person.go("/accounts/login/").page.get_by_role("button", name="Switch to English").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_browser_that_asks_for_chinese_gets_it(visit: Visit, lively: PortalProcess) -> None:
    page = visit(lively, locale="zh-CN").go("/accounts/login/").page
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")


def test_the_theme_is_remembered_and_comes_with_the_page(visit: Visit, lively: PortalProcess) -> None:
    person = visit(lively).go("/accounts/login/")
    person.page.get_by_role("radio", name="Dark").check(force=True)
    expect(person.page.locator("html")).to_have_attribute("data-theme", "dark")
    person.go("/consent/declined/")
    assert person.page.context.request.get(f"{lively.url}/accounts/login/").text().count('data-theme="dark"')
    expect(person.page.locator("html")).to_have_attribute("data-theme", "dark")
    person.go("/accounts/login/").page.get_by_role("radio", name="System").check(force=True)
    person.page.reload()
    expect(person.page.locator("html")).not_to_have_attribute("data-theme", re.compile(".*"))


def test_a_form_without_its_cookie_is_refused_with_a_page(visit: Visit, lively: PortalProcess) -> None:
    person = visit(lively).go("/accounts/login/")
    person.page.context.clear_cookies()
    person.page.get_by_label("User name").fill("member")
    person.page.get_by_label("Password", exact=True).fill("whatever it is")
    person.page.get_by_role("button", name="Sign in").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("The request was refused")


def test_a_page_that_is_not_there_says_so_and_leads_back(enter: Enter, lively: PortalProcess) -> None:
    person = enter(lively).go("/c/11111111-1111-4111-8111-111111111111/")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("This page was not found")
    person.page.get_by_role("link", name="Back to the start").click()
    expect(person.field).to_be_visible()
