"""Every page in every state that people see, and the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import expect

from tests.browser.conftest import Enter, Visit
from tests.browser.person import Line, Person
from tests.portal import PortalProcess


@dataclass(frozen=True)
class House:
    """What a way may start from."""

    visit: Visit
    enter: Enter
    lively: PortalProcess


FEW_RECORDS = "/audit/?action=account.*"
Way = Callable[[House], Person]


def _door(path: str) -> Way:
    return lambda house: house.visit(house.lively).go(path)


def _room(login: str, path: str) -> Way:
    return lambda house: house.enter(house.lively, login).go(path)


def wrong_password(house: House) -> Person:
    person = house.visit(house.lively).sign_in("admin", password="not a heron")
    expect(person.page.get_by_role("alert")).to_be_visible()
    return person


def locked_out(house: House) -> Person:
    person = house.visit(house.lively)
    for _ in range(3):
        person.sign_in("nobody")
    expect(person.page.locator("[data-count]")).to_be_visible()
    return person


def gate(house: House) -> Person:
    """The consent page; the chat leads to it before consent, its own address at any time."""
    return house.enter(house.lively).go("/consent/")


def conversation(house: House) -> Person:
    return (
        house.enter(house.lively)
        .go("/")
        .ask(f"A *heron*, some `code`, and a title longer than any bar {'x' * 120} 30")
        .ask("And an egret 40")
    )


def streaming(house: House) -> Person:
    return house.enter(house.lively).go("/").say("Count 500").wait_for_word("word9")


def held(house: House) -> Person:
    person = house.enter(house.lively).go("/").say("My number is 11010519491231002X, please")
    expect(person.answer).to_contain_text("PII-ID-01")
    return person


def withdrawn(house: House) -> Person:
    return house.enter(house.lively).go("/").say("保本保息").wait_for_answer("blocked")


def cut_off(house: House) -> Person:
    person = house.enter(house.lively)
    line = Line(person.page)
    person.go("/").say("Count 500").wait_for_word("word9")
    line.cut()
    expect(person.note).to_contain_text("reconnecting")
    return person


def temporary(house: House) -> Person:
    return house.enter(house.lively).go("/?temporary=1").ask("For now only 20")


def renaming(house: House) -> Person:
    person = house.enter(house.lively).go("/").ask("A name 3")
    person.page.get_by_role("button", name="Conversation actions").click()
    person.page.get_by_role("button", name="Rename").click()
    return person


def own_menu(house: House) -> Person:
    person = house.enter(house.lively).go("/")
    person.page.locator(".me").click()
    expect(person.page.get_by_role("link", name="My data")).to_be_visible()
    return person


def shortcuts(house: House) -> Person:
    person = house.enter(house.lively).go("/privacy/").go("/")
    person.page.locator(".me").click()
    person.page.get_by_role("button", name="Shortcuts").click()
    return person


def clearing(house: House) -> Person:
    person = house.enter(house.lively).go("/").ask("To clear 3").go("/privacy/")
    person.page.get_by_role("button", name="Clear all…").click()
    return person


def record(house: House) -> Person:
    person = house.enter(house.lively, "auditor").go(FEW_RECORDS)
    person.page.locator(".audit tbody td.seq a").first.click()
    expect(person.page.locator(".drawer")).to_be_visible()
    return person


def refused(house: House) -> Person:
    person = house.visit(house.lively).go("/accounts/login/")
    person.page.context.clear_cookies()
    person.page.get_by_label("User name").fill("member")
    person.page.get_by_label("Password", exact=True).fill("whatever it is")
    person.page.get_by_role("button", name="Sign in").click()
    return person


def _first_of(login: str, path: str, link: str) -> Way:
    """Follow the first link of a list whose address begins so and goes on."""

    def way(house: House) -> Person:
        person = house.enter(house.lively, login).go(path)
        address = person.page.locator(f"main table a[href^='{link}']").first.get_attribute("href")
        assert address is not None
        return person.go(address)

    return way


STATES: dict[str, Way] = {
    "sign-in": _door("/accounts/login/"),
    "wrong password": wrong_password,
    "locked out": locked_out,
    "consent": gate,
    "declined": _door("/consent/declined/"),
    "notice": _room("member", "/consent/notice/1/"),
    "new chat": _room("member", "/"),
    "conversation": conversation,
    "streaming": streaming,
    "held message": held,
    "withdrawn answer": withdrawn,
    "cut off": cut_off,
    "temporary chat": temporary,
    "renaming": renaming,
    "own menu": own_menu,
    "shortcuts": shortcuts,
    "own data": _room("member", "/privacy/"),
    "clearing": clearing,
    "audit log": _room("auditor", FEW_RECORDS),
    "bad filter": _room("auditor", "/audit/?actor=Mei"),
    "audit record": record,
    "dashboard": _room("admin", "/console/"),
    "policy": _room("officer", "/console/policy/"),
    "installation": _room("operator", "/console/installation/"),
    "users": _room("admin", "/console/users/"),
    "person": _first_of("admin", "/console/users/?q=member", "/console/users/"),
    "adding people": _room("admin", "/console/users/add/"),
    "importing people": _room("admin", "/console/users/import/"),
    "organisations": _room("operator", "/console/organisations/"),
    "new organisation": _room("operator", "/console/organisations/new/"),
    "organisation": _first_of("operator", "/console/organisations/?q=demo", "/console/organisations/"),
    "parameters": _room("admin", "/console/parameters/"),
    "notices": _room("admin", "/console/notices/"),
    "ways of signing in": _room("admin", "/console/identity/"),
    "own sessions": _room("member", "/accounts/sessions/"),
    "own tokens": _room("member", "/accounts/tokens/"),
    "own password": _room("member", "/accounts/password/"),
    "not found": _room("member", "/nowhere/"),
    "refused": refused,
}
